#include "cmd/command.h"
int cmd_demo(int argc, char **argv) {
    (void)argc;
    (void)argv;
    return command_usage("the demo is not built in");
}
