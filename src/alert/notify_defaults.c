/* notify_defaults.c - the default templates. Names and output are Alertmanager's, which users' own templates build on.
 */
#include "alert/notify_int.h"

/* clang-format off */
#define DEF(name, body) "{{ define \"" name "\" }}" body "{{ end }}"
#define ALIAS(name, other) DEF(name, "{{ template \"" other "\" . }}")
#define EMPTY(name) DEF(name, "")
#define IF_FIRING(body) "{{ with .Alerts.Firing }}" body "{{ end }}"
#define IF_RESOLVED(body) "{{ with .Alerts.Resolved }}" body "{{ end }}"
#define ANNOTATIONS "{{ .CommonAnnotations.SortedPairs.Values | join \" \" }}"

/* One block per alert; the same with air for those who read Markdown. */
#define PAIRS(list, indent) "{{ range " list ".SortedPairs }}" indent "- {{ .Name }} = {{ .Value }}\n{{ end }}"
#define TEXT_LIST                                                                                                      \
    "{{ range . }}Labels:\n" PAIRS(".Labels", " ") "Annotations:\n" PAIRS(".Annotations", " ")                         \
        "Source: {{ .GeneratorURL }}\n{{ end }}"
#define MARKDOWN_LIST                                                                                                  \
    "{{ range . }}\nLabels:\n" PAIRS(".Labels", "  ") "\nAnnotations:\n" PAIRS(".Annotations", "  ")                   \
        "\nSource: {{ .GeneratorURL }}\n{{ end }}\n"

/* Firing and resolved alerts, close together, with empty lines, and under headings. */
#define CLOSE                                                                                                          \
    "\n" IF_FIRING("Alerts Firing:\n{{ template \"__text_alert_list\" . }}") "\n" IF_RESOLVED(                          \
        "Alerts Resolved:\n{{ template \"__text_alert_list\" . }}")
#define LOOSE                                                                                                          \
    "\n" IF_FIRING("\nAlerts Firing:\n{{ template \"__text_alert_list\" . }}\n") "\n" IF_RESOLVED(                      \
        "\nAlerts Resolved:\n{{ template \"__text_alert_list\" . }}\n") "\n"
#define HEADED                                                                                                         \
    "\n" IF_FIRING("\n# Alerts Firing:\n{{ template \"__text_alert_list_markdown\" . }}\n") "\n" IF_RESOLVED(           \
        "\n# Alerts Resolved:\n{{ template \"__text_alert_list_markdown\" . }}\n") "\n"

static const char shared[] =
    DEF("__alertmanager", "Alertmanager")
    DEF("__alertmanagerURL", "{{ .ExternalURL }}/#/alerts?receiver={{ .Receiver | urlquery }}")
    EMPTY("__description")
    /* [FIRING:2] group's values (other common values) */
    DEF("__subject", "[{{ .Status | toUpper }}{{ if eq .Status \"firing\" }}:{{ len .Alerts.Firing }}{{ end }}] "
                     "{{ .GroupLabels.SortedPairs.Values | join \" \" }} "
                     "{{ if lt (len .GroupLabels) (len .CommonLabels) }}("
                     "{{ with .CommonLabels.Remove .GroupLabels.Names }}{{ .Values | join \" \" }}{{ end }}){{ end }}")
    DEF("__text_alert_list", TEXT_LIST)
    DEF("__text_alert_list_markdown", MARKDOWN_LIST);

static const char chats[] =
    ALIAS("slack.default.title", "__subject")
    ALIAS("slack.default.username", "__alertmanager")
    DEF("slack.default.fallback", "{{ template \"slack.default.title\" . }} | {{ template \"slack.default.titlelink\" . }}")
    EMPTY("slack.default.callbackid")
    EMPTY("slack.default.pretext")
    ALIAS("slack.default.titlelink", "__alertmanagerURL")
    EMPTY("slack.default.iconemoji")
    EMPTY("slack.default.iconurl")
    EMPTY("slack.default.text")
    EMPTY("slack.default.footer")
    DEF("slack.default.color", "{{ if eq .Status \"firing\" }}danger{{ else }}good{{ end }}")
    EMPTY("discord.default.content")
    ALIAS("discord.default.title", "__subject")
    DEF("discord.default.message", LOOSE)
    DEF("webex.default.message", ANNOTATIONS LOOSE)
    DEF("telegram.default.message", LOOSE)
    ALIAS("msteams.default.summary", "__subject")
    ALIAS("msteams.default.title", "__subject")
    DEF("msteams.default.text", HEADED)
    ALIAS("msteamsv2.default.title", "__subject")
    DEF("msteamsv2.default.text", HEADED)
    ALIAS("rocketchat.default.title", "__subject")
    ALIAS("rocketchat.default.alias", "__alertmanager")
    ALIAS("rocketchat.default.titlelink", "__alertmanagerURL")
    EMPTY("rocketchat.default.emoji")
    EMPTY("rocketchat.default.iconurl")
    EMPTY("rocketchat.default.text")
    DEF("mattermost.default.color", "{{ if eq .Status \"firing\" }}danger{{ else }}good{{ end }}")
    ALIAS("mattermost.default.username", "__alertmanager")
    ALIAS("mattermost.default.title", "__subject")
    ALIAS("mattermost.default.titlelink", "__alertmanagerURL")
    DEF("mattermost.default.fallback",
        "{{ template \"mattermost.default.title\" . }} | {{ template \"mattermost.default.titlelink\" . }}")
    DEF("mattermost.default.text", HEADED)
    DEF("wechat.default.message", "{{ template \"__subject\" . }}\n" ANNOTATIONS CLOSE
        "\nAlertmanagerUrl:\n{{ template \"__alertmanagerURL\" . }}")
    EMPTY("wechat.default.to_user")
    EMPTY("wechat.default.to_party")
    EMPTY("wechat.default.to_tag")
    EMPTY("wechat.default.agent_id");

/* The highest severity of the firing alerts, else of the resolved ones, as Jira names priorities. */
#define SEVERITY_OF(list)                                                                                              \
    "{{ range " list " }}{{ $s := .Labels.severity }}{{ if eq $s \"critical\" }}{{ $p = \"High\" }}"                   \
    "{{ else if and (eq $s \"warning\") (ne $p \"High\") }}{{ $p = \"Medium\" }}"                                       \
    "{{ else if and (eq $s \"info\") (eq $p \"\") }}{{ $p = \"Low\" }}{{ end }}{{ end }}"

static const char pagers[] =
    ALIAS("pagerduty.default.description", "__subject")
    ALIAS("pagerduty.default.client", "__alertmanager")
    ALIAS("pagerduty.default.clientURL", "__alertmanagerURL")
    ALIAS("pagerduty.default.instances", "__text_alert_list")
    ALIAS("opsgenie.default.message", "__subject")
    DEF("opsgenie.default.description", ANNOTATIONS CLOSE)
    ALIAS("opsgenie.default.source", "__alertmanagerURL")
    DEF("victorops.default.state_message", ANNOTATIONS CLOSE)
    ALIAS("victorops.default.entity_display_name", "__subject")
    ALIAS("victorops.default.monitoring_tool", "__alertmanager")
    ALIAS("pushover.default.title", "__subject")
    DEF("pushover.default.message", ANNOTATIONS LOOSE)
    ALIAS("pushover.default.url", "__alertmanagerURL")
    ALIAS("sns.default.subject", "__subject")
    DEF("sns.default.message", ANNOTATIONS LOOSE)
    ALIAS("jira.default.summary", "__subject")
    DEF("jira.default.description", HEADED)
    DEF("jira.default.priority", "{{ $p := \"\" }}" SEVERITY_OF(".Alerts.Firing") "{{ if eq $p \"\" }}" SEVERITY_OF(
        ".Alerts.Resolved") "{{ end }}{{ $p }}")
    ALIAS("ntfy.default.title", "__subject")
    DEF("ntfy.default.message", ANNOTATIONS CLOSE)
    DEF("ntfy.default.priority", "{{ if eq .Status \"firing\" }}{{ if eq .CommonLabels.severity \"critical\" }}5"
                                 "{{ else }}4{{ end }}{{ else }}3{{ end }}")
    DEF("ntfy.default.tags", "{{ if eq .Status \"firing\" }}rotating_light{{ else }}white_check_mark{{ end }}")
    ALIAS("ntfy.default.click", "__alertmanagerURL");

/* Mail: tables and inline styles, because that is what mail programs understand. */
#define FONT "font-family:Helvetica,Arial,sans-serif;font-size:14px;line-height:1.5;"
#define CELL "style=\"" FONT "padding:8px 24px;\""
static const char mail[] =
    ALIAS("email.default.subject", "__subject")
    DEF("email.default.pairs", "{{ range .SortedPairs }}{{ .Name }} = {{ .Value }}<br>{{ end }}")
    DEF("email.default.alerts",
        "{{ range . }}<tr><td " CELL "><strong>Labels</strong><br>{{ template \"email.default.pairs\" .Labels }}"
        "{{ if .Annotations }}<strong>Annotations</strong><br>{{ template \"email.default.pairs\" .Annotations }}{{ end }}"
        "<a href=\"{{ .GeneratorURL }}\" style=\"color:#2563eb;\">Source</a></td></tr>\n{{ end }}")
    DEF("email.default.html",
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"UTF-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{{ template \"__subject\" . }}</title>\n</head>\n"
        "<body style=\"margin:0;background:#f4f4f5;\">\n"
        "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\"><tr><td align=\"center\">\n"
        "<table role=\"presentation\" width=\"600\" cellpadding=\"0\" cellspacing=\"0\" "
        "style=\"max-width:600px;margin:24px auto;background:#ffffff;border:1px solid #e4e4e7;\">\n"
        "<tr>{{ if .Alerts.Firing }}<td class=\"alert alert-warning\" style=\"" FONT
        "padding:16px 24px;color:#ffffff;background:#c2410c;text-align:center;\">{{ else }}"
        "<td class=\"alert alert-good\" style=\"" FONT
        "padding:16px 24px;color:#ffffff;background:#15803d;text-align:center;\">{{ end }}"
        "{{ .Alerts | len }} alert{{ if gt (len .Alerts) 1 }}s{{ end }} for"
        "{{ range .GroupLabels.SortedPairs }} {{ .Name }}={{ .Value }}{{ end }}</td></tr>\n"
        "<tr><td " CELL "><a href=\"{{ template \"__alertmanagerURL\" . }}\" "
        "style=\"color:#2563eb;font-weight:bold;\">View in {{ template \"__alertmanager\" . }}</a></td></tr>\n"
        "{{ with .Alerts.Firing }}<tr><td " CELL "><strong>[{{ . | len }}] Firing</strong></td></tr>\n"
        "{{ template \"email.default.alerts\" . }}{{ end }}"
        "{{ with .Alerts.Resolved }}<tr><td " CELL "><strong>[{{ . | len }}] Resolved</strong></td></tr>\n"
        "{{ template \"email.default.alerts\" . }}{{ end }}"
        "<tr><td style=\"" FONT "padding:16px 24px;color:#71717a;text-align:center;\">"
        "<a href=\"{{ .ExternalURL }}\" style=\"color:#71717a;\">Sent by {{ template \"__alertmanager\" . }}</a>"
        "</td></tr>\n</table>\n</td></tr></table>\n</body>\n</html>\n");

/* clang-format on */

const Str notify_default_templates[] = {
    {shared, sizeof shared - 1}, {chats, sizeof chats - 1}, {pagers, sizeof pagers - 1}, {mail, sizeof mail - 1}};
const size_t notify_n_default_templates = ARRAY_LEN(notify_default_templates);
