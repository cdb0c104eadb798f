#include "runners/context.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/time.h"
#include "packets/packet.h"
#include "runners/link.h"
#include "runners/loop.h"
#include "runners/target.h"

/* Host time that a command on the NUT may take. */
#define COMMAND_TIMEOUT_MS 20000

/* Hop Limit of what a node behind a router sends: one hop gone. */
#define HOP_LIMIT_FORWARDED 254

void context_init(struct context *context, struct loop *loop, struct link *link,
		  struct target *target, const struct script_test *test,
		  const uint8_t nut_link_local[16])
{
	int64_t now_ns = loop_now_ns(loop);

	*context = (struct context){
		.loop = loop,
		.link = link,
		.target = target,
		.test = test,
		.deadline_ns = now_ns + (int64_t)(test->timeout_s * (double)NS_PER_SECOND),
		.verdict = VERDICT_PASS,
	};
	nodes_init(context->nodes, nut_link_local);
	trace_init(&context->trace, now_ns, clock_kind_to_string(loop_get_clock(loop)));
}

void context_release(struct context *context)
{
	trace_release(&context->trace);
	nut_exec_result_release(&context->command);
	free(context->reason);
	free(context->signature);
}

void context_decide(struct context *context, enum verdict verdict, const char *reason,
		    const char *signature)
{
	if (context->reason && verdict_rank(verdict) <= verdict_rank(context->verdict))
		return;
	context->verdict = verdict;
	free(context->reason);
	free(context->signature);
	context->reason = xstrdup(reason);
	context->signature = xstrdup(signature);
}

char *context_signature(const struct context *context, const char *kind, const char *field)
{
	return context->judged ? xasprintf("%s %s %u%s%s", context->test->id, kind, context->judged,
					   *field ? " " : "", field)
			       : xasprintf("%s %s", context->test->id, kind);
}

void context_trouble(struct context *context)
{
	context->trouble = true;
	context->wake = true;
}

int context_pass(struct context *context, int64_t until_ns, struct err *err)
{
	int rc;

	if (context->trouble)
		return SCRIPT_STOP;
	if (loop_now_ns(context->loop) >= context->deadline_ns)
		return err_set(err, LAB_ETIMEOUT, "the test did not end within its %g s",
			       context->test->timeout_s);
	if (until_ns > context->deadline_ns)
		until_ns = context->deadline_ns;
	/* When the time is over, what came in it is delivered first. */
	do {
		context->wake = false;
		rc = loop_run(context->loop, until_ns, &context->wake, err);
	} while (rc > 0 && !context->trouble && loop_now_ns(context->loop) >= until_ns);
	if (rc < 0)
		return rc;
	return context->trouble ? SCRIPT_STOP : 0;
}

/* A stimulus that follows a judgement leaves the frames before it behind. */
static void begin_exchange(struct context *context)
{
	if (!context->exchange_judged)
		return;
	context->exchange = context->trace.frame_count;
	context->exchange_judged = false;
}

/* --- frames ---------------------------------------------------------------- */

/* Send bytes and keep them in the trace; *ret_index is the frame's. */
static int send_frame(struct context *context, const struct buf *bytes, size_t *ret_index,
		      struct err *err)
{
	int64_t time_ns;
	struct frame *frame;
	int rc = link_send(context->link, bytes->data, bytes->size, &time_ns, err);

	if (rc < 0)
		return rc;
	frame = trace_add_frame(&context->trace, bytes->data, bytes->size, false, time_ns);
	if (!frame)
		return err_set(err, LAB_ELIMIT, "more than %u bytes on the link", TRACE_BYTES_MAX);
	*ret_index = (size_t)(frame - context->trace.frames);
	return 0;
}

static int append_named(struct packet *packet, const char *name, struct layer **ret_layer,
			struct err *err)
{
	return packet_append(packet, layer_type_find(name), ret_layer, err);
}

/*
 * The advertisement that `node` answers a solicitation for `target` with. RFC
 * 4861 7.2.4; to the group and not solicited when the source is unspecified.
 */
static int build_advertisement(const struct node *node, const uint8_t target[16],
			       const uint8_t source[16], const uint8_t source_mac[6],
			       struct packet *packet, struct err *err)
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	bool is_dad = ip6_is_unspecified(source);
	uint8_t group_mac[6];
	struct layer *layer, *option;
	int rc;

	mac_of_multicast(all_nodes, group_mac);
	rc = append_named(packet, "ether", &layer, err);
	if (!rc)
		rc = layer_set_mac(layer, "dst", is_dad ? group_mac : source_mac, err);
	if (!rc)
		rc = layer_set_mac(layer, "src", node->seen.mac, err);
	if (!rc)
		rc = append_named(packet, "ip6", &layer, err);
	if (!rc)
		rc = layer_set_ip6(layer, "src", target, err);
	if (!rc)
		rc = layer_set_ip6(layer, "dst", is_dad ? all_nodes : source, err);
	if (!rc)
		rc = layer_set_uint(layer, "hop_limit", 255, err);
	if (!rc)
		rc = append_named(packet, "na", &layer, err);
	if (!rc)
		rc = layer_set_uint(layer, "router", node->is_router, err);
	if (!rc)
		rc = layer_set_uint(layer, "solicited", !is_dad, err);
	if (!rc)
		rc = layer_set_uint(layer, "override", 1, err);
	if (!rc)
		rc = layer_set_ip6(layer, "target", target, err);
	if (!rc)
		rc = layer_append_option(layer, layer_type_find("nd_tlla"), &option, err);
	return rc ? rc : layer_set_mac(option, "mac", node->seen.mac, err);
}

/* A node of ours answers the solicitation in `frame`, if there is one and it is for it. */
static int answer_solicitation(struct context *context, const struct packet *frame, struct err *err)
{
	const struct layer *solicitation = packet_find(frame, "ns", 0);
	const struct layer *ip6 = packet_find(frame, "ip6", 0);
	const struct layer *ether = packet_find(frame, "ether", 0);
	const struct value *target = solicitation ? layer_get(solicitation, "target") : NULL;
	auto_cleanup(packet_free_p) struct packet *packet = NULL;
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	const struct value *source, *source_mac;
	const struct node *node;
	size_t index;
	int rc;

	if (!target || !ip6 || !ether)
		return 0;
	node = nodes_owner(context->nodes, target->octets);
	source = layer_get(ip6, "src");
	source_mac = layer_get(ether, "src");
	if (!node || !source || !source_mac)
		return 0;
	packet = packet_new();
	rc = build_advertisement(node, target->octets, source->octets, source_mac->octets, packet,
				 err);
	if (!rc)
		rc = packet_build(packet, &bytes, err);
	if (!rc)
		rc = send_frame(context, &bytes, &index, err);
	if (!rc)
		trace_comment(&context->trace.frames[index], "%s answers by itself",
			      node->seen.name);
	return rc;
}

void context_receive(struct context *context, const uint8_t *frame, size_t size, int64_t time_ns)
{
	struct frame *kept = trace_add_frame(&context->trace, frame, size, true, time_ns);
	struct err err = ERR_INIT;

	context->wake = true;
	if (kept && answer_solicitation(context, kept->packet, &err) < 0 && !context->link_error)
		context->link_error = err.code;
}

/* --- operations ------------------------------------------------------------ */

static unsigned op_node_count(void *run)
{
	(void)run;
	return NODE_COUNT_;
}

static const struct script_node *op_node(void *run, unsigned index)
{
	return &((struct context *)run)->nodes[index].seen;
}

static int op_nut_address(void *run, const uint8_t prefix[16], unsigned bits, uint8_t ret[16],
			  struct err *err)
{
	const struct context *context = run;
	char text[IP6_TEXT_SIZE];

	for (size_t i = context->trace.frame_count; i-- > 0;) {
		const struct frame *frame = &context->trace.frames[i];
		const struct layer *solicitation = packet_find(frame->packet, "ns", 0);
		const struct layer *ip6 = packet_find(frame->packet, "ip6", 0);
		const struct value *source = ip6 ? layer_get(ip6, "src") : NULL;
		const struct value *target =
			solicitation ? layer_get(solicitation, "target") : NULL;

		if (!frame->from_nut || !source || !target || !ip6_is_unspecified(source->octets) ||
		    !ip6_is_in_prefix(target->octets, prefix, bits))
			continue;
		memcpy(ret, target->octets, 16);
		return 0;
	}
	return err_set(err, LAB_ENOTFOUND,
		       "the NUT was not seen to try an address in %s/%u (no neighbour "
		       "solicitation of duplicate address detection)",
		       ip6_to_string(prefix, text), bits);
}

static int op_answer(void *run, unsigned node, bool on, struct err *err)
{
	struct context *context = run;

	if (node == NODE_NUT || !context->nodes[node].on_link)
		return err_set(err, LAB_EINVALID,
			       "node '%s' has no interface on the link of the NUT",
			       context->nodes[node].seen.name);
	context->nodes[node].answers = on;
	return 0;
}

/* Fields of the IPv6 header that the script left open. */
static int fill_ip6(const struct context *context, const struct node *node, struct layer *ip6,
		    struct err *err)
{
	const struct value *destination = layer_get(ip6, "dst");
	bool local;
	int rc = 0;

	if (!destination) {
		rc = layer_set_ip6(ip6, "dst", context->nodes[NODE_NUT].seen.link_local, err);
		if (rc < 0)
			return rc;
		destination = layer_get(ip6, "dst");
	}
	local = ip6_is_link_local(destination->octets) || ip6_is_multicast(destination->octets);
	if (!layer_get(ip6, "src"))
		rc = layer_set_ip6(
			ip6, "src",
			local && node->on_link ? node->seen.link_local : node->seen.global, err);
	if (!rc && !layer_is_set(ip6, "hop_limit"))
		rc = layer_set_uint(ip6, "hop_limit", node->on_link ? 255 : HOP_LIMIT_FORWARDED,
				    err);
	return rc;
}

/* Ethernet: from the node, or from the router in front of it; to the group, or to the NUT. */
static int fill_ether(const struct context *context, const struct node *node, struct layer *ether,
		      const struct layer *ip6, struct err *err)
{
	const struct node *sender = node->on_link ? node : &context->nodes[node->via];
	const struct value *destination = ip6 ? layer_get(ip6, "dst") : NULL;
	uint8_t mac[6];
	int rc = 0;

	memcpy(mac, context->nodes[NODE_NUT].seen.mac, 6);
	if (destination && ip6_is_multicast(destination->octets))
		mac_of_multicast(destination->octets, mac);
	if (!layer_get(ether, "src"))
		rc = layer_set_mac(ether, "src", sender->seen.mac, err);
	if (!rc && !layer_get(ether, "dst"))
		rc = layer_set_mac(ether, "dst", mac, err);
	return rc;
}

/* A complete frame out of what the script named. */
static int complete_packet(const struct context *context, const struct node *node,
			   const struct packet *given, struct packet *packet, struct err *err)
{
	struct layer *ip6, *ether = NULL;
	int rc = 0;

	if (!packet_find(given, "ether", 0))
		rc = append_named(packet, "ether", &ether, err);
	if (!rc && !packet_find(given, "ip6", 0) && !packet_find(given, "ether", 0))
		rc = append_named(packet, "ip6", &ip6, err);
	if (!rc)
		rc = packet_append_packet(packet, given, err);
	ip6 = packet_find(packet, "ip6", 0);
	if (!rc && ip6)
		rc = fill_ip6(context, node, ip6, err);
	return rc ? rc : fill_ether(context, node, packet_find(packet, "ether", 0), ip6, err);
}

static int op_send(void *run, unsigned index, const struct packet *given,
		   const struct packet **ret_packet, struct err *err)
{
	struct context *context = run;
	const struct node *node = &context->nodes[index];
	auto_cleanup(packet_free_p) struct packet *packet = packet_new();
	auto_cleanup(buf_release_p) struct buf bytes = BUF_INIT(LIMIT_FRAME_BYTES);
	auto_free char *summary = NULL;
	auto_free char *text = NULL;
	struct frame *frame;
	json_t *step;
	size_t number;
	int rc;

	rc = complete_packet(context, node, given, packet, err);
	if (!rc)
		rc = packet_build(packet, &bytes, err);
	if (rc < 0)
		return err_prefix(err, "send from %s", node->seen.name);
	begin_exchange(context);
	rc = send_frame(context, &bytes, &number, err);
	if (rc < 0)
		return rc;
	frame = &context->trace.frames[number];
	summary = packet_summary(frame->packet);
	text = xasprintf("%s sends %s", node->seen.name, summary);
	rc = trace_add_step(&context->trace, "send", frame->time_ns, true, text, &step, err);
	if (rc < 0)
		return rc;
	(void)json_object_set_new(step, "node", json_string(node->seen.name));
	(void)json_object_set_new(step, "packet", trace_frame_to_json(frame));
	(void)json_object_set_new(step, "frame", json_integer((json_int_t)number + 1));
	trace_comment(frame, "step %zu: %s", trace_step_count(&context->trace), text);
	*ret_packet = frame->packet;
	return 0;
}

static int op_expect(void *run, const struct script_expectation *expectation,
		     const struct packet **ret_packet, int64_t *ret_time_ns, struct err *err)
{
	return judge_expect(run, expectation, ret_packet, ret_time_ns, err);
}

static int op_expect_none(void *run, const struct script_expectation *expectation, struct err *err)
{
	return judge_expect_none(run, expectation, err);
}

static int op_check(void *run, bool ok, const char *text, const char *clause,
		    enum script_level level, struct err *err)
{
	return judge_check(run, ok, text, clause, level, err);
}

static int op_wait(void *run, int64_t duration_ns, struct err *err)
{
	struct context *context = run;
	int64_t until_ns = loop_now_ns(context->loop) + duration_ns;
	auto_free char *text = xasprintf("%g s", (double)duration_ns / (double)NS_PER_SECOND);
	int rc;

	if (duration_ns <= 0) /* a moment that has come already is no step */
		return 0;
	rc = trace_add_step(&context->trace, "wait", loop_now_ns(context->loop), true, text, NULL,
			    err);
	while (!rc && loop_now_ns(context->loop) < until_ns)
		rc = context_pass(context, until_ns, err);
	return rc;
}

static int64_t op_now_ns(void *run)
{
	const struct context *context = run;

	return loop_now_ns(context->loop) - context->trace.start_ns;
}

static int op_command(void *run, const char *const *argv, bool may_fail, int *ret_status,
		      const char **ret_output, struct err *err)
{
	struct context *context = run;
	auto_cleanup(buf_release_p) struct buf text = BUF_INIT(LIMIT_FRAME_BYTES);
	int64_t begin_ns = loop_now_ns(context->loop);
	json_t *step;
	bool ok;
	int rc;

	for (unsigned i = 0; argv[i]; i++)
		buf_printf(&text, "%s%s", i ? " " : "", argv[i]);
	begin_exchange(context);
	nut_exec_result_release(&context->command);
	context->command = (struct nut_exec_result){ 0 };
	rc = context->target->ops->exec(context->target->self, argv, COMMAND_TIMEOUT_MS,
					&context->command, err);
	if (context->trouble)
		return SCRIPT_STOP; /* the reason for whatever came of the command */
	if (rc < 0)
		return rc;
	ok = !context->command.exit_status || may_fail;
	rc = trace_add_step(&context->trace, "command", begin_ns, ok, text.data, &step, err);
	if (rc < 0)
		return rc;
	(void)json_object_set_new(step, "status", json_integer(context->command.exit_status));
	if (!ok)
		return err_set(err, LAB_EFAIL, "command '%s' on the NUT: exit status %d: %s",
			       text.data, context->command.exit_status,
			       context->command.error_output ? context->command.error_output : "");
	*ret_status = context->command.exit_status;
	*ret_output = context->command.output;
	return 0;
}

static int note_setting(struct context *context, const char *setting, struct err *err)
{
	auto_free char *text = xasprintf("sysctl -w %s, as this test asks", setting);

	return trace_add_step(&context->trace, "command", loop_now_ns(context->loop), true, text,
			      NULL, err);
}

int context_apply_environment(struct context *context, struct err *err)
{
	const char *const *settings = context->test->environment;

	for (unsigned i = 0; context->set_environment && settings[i]; i++) {
		const char *const argv[] = { "sysctl", "-w", settings[i], NULL };
		struct nut_exec_result result = { 0 };
		int rc = context->target->ops->exec(context->target->self, argv, COMMAND_TIMEOUT_MS,
						    &result, err);

		if (!rc && result.exit_status)
			rc = err_set(err, LAB_EFAIL, "set '%s' on the NUT: %s", settings[i],
				     result.error_output ? result.error_output : "failed");
		nut_exec_result_release(&result);
		if (!rc)
			rc = note_setting(context, settings[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int op_reboot(void *run, struct err *err)
{
	struct context *context = run;
	int rc = trace_add_step(&context->trace, "command", loop_now_ns(context->loop), true,
				"boot the NUT anew", NULL, err);

	begin_exchange(context);
	if (!rc)
		rc = context->target->ops->reboot(context->target->self, err);
	return rc ? rc : context_apply_environment(context, err);
}

static int op_note(void *run, const char *text, struct err *err)
{
	struct context *context = run;

	return trace_add_step(&context->trace, "note", loop_now_ns(context->loop), true, text, NULL,
			      err);
}

static int op_decide(void *run, enum verdict verdict, const char *reason, struct err *err)
{
	int rc = op_note(run, reason, err);

	if (rc < 0)
		return rc;
	context_decide(run, verdict, reason, NULL);
	return SCRIPT_STOP;
}

const struct script_ops context_ops = {
	.node_count = op_node_count,
	.node = op_node,
	.nut_address = op_nut_address,
	.answer = op_answer,
	.send = op_send,
	.expect = op_expect,
	.expect_none = op_expect_none,
	.wait = op_wait,
	.now_ns = op_now_ns,
	.command = op_command,
	.reboot = op_reboot,
	.check = op_check,
	.note = op_note,
	.decide = op_decide,
};
