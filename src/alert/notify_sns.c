/* notify_sns.c - Amazon SNS: the Publish action. */
#include "alert/notify_int.h"

#include <stdio.h>

#define MESSAGE_MAX ((size_t)256 << 10)
#define SMS_MAX 1600

static void form_attributes(Notify *n, Buf *b, bool truncated) {
    const YamlNode *own = settings_get(n->s, "attributes")->node;
    int i = 1;
    for (const YamlNode *it = own ? own->first : NULL; it || truncated; i++) {
        char key[64];
        snprintf(key, sizeof key, "MessageAttributes.entry.%d.Name", i);
        aws_form(b, key, it ? notify_expand_text(n, it->key->text) : STR("truncated"));
        snprintf(key, sizeof key, "MessageAttributes.entry.%d.Value.DataType", i);
        aws_form(b, key, STR("String"));
        snprintf(key, sizeof key, "MessageAttributes.entry.%d.Value.StringValue", i);
        aws_form(b, key, it ? notify_expand_text(n, it->text) : STR("true"));
        if (!it) truncated = false;
        it = it ? it->next : NULL;
    }
}

static bool publish_form(Notify *n, Buf *b) {
    Str topic, phone, target, message = notify_t(n, "message"), subject = notify_t(n, "subject");
    if (!notify_must(n, settings_text(n->s, "topic_arn"), "'topic_arn'", &topic) ||
        !notify_must(n, settings_text(n->s, "phone_number"), "'phone_number'", &phone) ||
        !notify_must(n, settings_text(n->s, "target_arn"), "'target_arn'", &target))
        return false;
    size_t max = phone.n ? SMS_MAX : MESSAGE_MAX;
    if (!str_is_utf8(message)) return notify_fail(n, "other", true, "non utf8 encoded message string");
    aws_form(b, "Action", STR("Publish"));
    aws_form(b, "Message", message.n > max ? str_slice(message, 0, max) : message);
    form_attributes(n, b, message.n > max);
    if (str_ends_with(topic, STR(".fifo"))) {
        aws_form(b, "MessageDeduplicationId", notify_key_hash(n));
        aws_form(b, "MessageGroupId", notify_key_hash(n));
    }
    if (phone.n) aws_form(b, "PhoneNumber", phone);
    if (settings_text(n->s, "subject").n) aws_form(b, "Subject", subject);
    if (target.n) aws_form(b, "TargetArn", target);
    if (topic.n) aws_form(b, "TopicArn", topic);
    aws_form(b, "Version", STR("2010-03-31"));
    return true;
}

void notify_sns(Notify *n) {
    AwsKeys keys;
    Str url;
    Buf body = {0};
    const Setting *sigv4 = settings_get(n->s, "sigv4");
    if (!notify_must(n, settings_text(n->s, "api_url"), "'api_url'", &url)) return;
    if (!aws_keys(n, sigv4->n_subs ? sigv4->subs : NULL, &keys)) return;
    if (!url.n) url = arena_printf(n->arena, "https://sns.%" STR_FMT ".amazonaws.com/", STR_ARG(keys.region));
    if (!publish_form(n, &body)) {
        buf_done(&body);
        return;
    }
    NotifyHttp h = {.url_is_public = true, .details = aws_error_details};
    aws_sign(n, &keys, "sns", url, notify_copy_buf(n, &body), &h);
    NotifyAnswer ignored;
    notify_http(n, &h, &ignored);
}
