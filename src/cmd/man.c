/* man.c - `meerkat man`: the manual page, made from the table of commands and the table of configuration keys. */
#include "cmd/command.h"

#include "base/buf.h"
#include "cmd/config.h"

/* Text as roff wants it: backslashes and leading dots mean nothing. */
static void put_text(Buf *out, const char *text) {
    bool line_start = true;
    for (const char *p = text; *p; p++) {
        if (line_start && (*p == '.' || *p == '\'')) buf_put_lit(out, "\\&");
        line_start = *p == '\n';
        if (*p == '\\')
            buf_put_lit(out, "\\e");
        else if (*p == '-')
            buf_put_lit(out, "\\-");
        else
            buf_put_char(out, *p);
    }
}

static void put_command(Buf *out, const Command *c) {
    buf_put_lit(out, ".SS \"meerkat ");
    put_text(out, c->name);
    buf_put_lit(out, "\"\n");
    put_text(out, c->summary);
    buf_put_lit(out, ".\n.PP\n.B meerkat ");
    put_text(out, c->name);
    buf_put_lit(out, "\n");
    put_text(out, c->synopsis);
    if (c->help) {
        buf_put_lit(out, "\n.PP\n.nf\n");
        Buf help = {0};
        command_put_help(c, &help);
        put_text(out, buf_cstr(&help));
        buf_done(&help);
        buf_put_lit(out, ".fi");
    }
    buf_put_char(out, '\n');
}

static void put_options(Buf *out) {
    Buf options = {0};
    config_put_help(&options);
    buf_put_lit(out,
        ".SH \"OPTIONS OF THE SERVER\"\nAll of them stand as well in the file given by \\-\\-config, and in "
        "the environment.\n.PP\n.nf\n");
    put_text(out, buf_cstr(&options));
    buf_put_lit(out, ".fi\n");
    buf_done(&options);
}

int cmd_man(int argc, char **argv) {
    if (argc) return command_unknown_option("man", argv[0]);
    Buf out = {0};
    buf_put_lit(&out,
        ".TH MEERKAT 1 \"\" \"meerkat " MEERKAT_VERSION
        "\" \"Meerkat\"\n.SH NAME\nmeerkat \\- metrics, logs and traces in one "
        "process\n.SH SYNOPSIS\n.B meerkat\nCOMMAND [OPTIONS]\n.SH DESCRIPTION\n"
        "One server that receives, keeps, queries and shows metrics, logs and traces, and speaks the wire protocols of "
        "Prometheus, the OpenTelemetry Collector, Loki, Jaeger and Alertmanager. Data goes to standard output, talk to "
        "standard error.\n.SH COMMANDS\n");
    for (size_t i = 0; i < command_table_n; i++) put_command(&out, &command_table[i]);
    put_options(&out);
    buf_put_lit(&out, ".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nNo colours, whatever the terminal can do.\n.TP\n"
                      ".B MEERKAT_PORT_OFFSET\nAdded to every port, by the server and by the commands that ask it.\n"
                      ".SH \"EXIT STATUS\"\n0 done; 1 failed; 2 wrong usage; 3 a check found something against the "
                      "conventions.\n");
    fwrite(out.p, 1, out.n, stdout);
    buf_done(&out);
    return 0;
}
