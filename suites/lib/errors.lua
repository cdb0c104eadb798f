-- ICMPv6 errors: RFC 4443 sections 2.4 and 3.
local errors = {}

-- Source of an error about a packet that was sent to a unicast address of the node.
errors.SOURCE = "RFC 4443 2.2 MUST"
-- As much of the packet as fits into 1280 octets.
errors.QUOTE = "RFC 4443 2.4 MUST"

-- Wait for `message` about the packet `sent`, which went to a unicast address of the NUT. It must
-- come from that address and quote the packet, octet for octet.
local function expect_error(t, sent, name, message, options)
	local answer = t:expect(ip6{ dst = sent.ip6.src, next_header = 58 } / message,
		{ to = options.to, within = 4, clause = options.clause, why = options.why })
	if not answer then
		return -- it was a SHOULD
	end
	t:check(answer.ip6.src == sent.ip6.dst,
		string.format("the error comes from %s, the packet was sent to %s", answer.ip6.src, sent.ip6.dst),
		{ clause = errors.SOURCE })
	t:check(answer[name].invoking == sent:quote(),
		"the error quotes as much of the packet as fits, unchanged", { clause = errors.QUOTE })
end

-- Parameter Problem with this code and pointer (RFC 4443 3.4).
function errors.expect_problem(t, sent, options)
	expect_error(t, sent, "param_problem",
		param_problem{ code = options.code, pointer = options.pointer }, options)
end

-- Destination Unreachable with this code (RFC 4443 3.1).
function errors.expect_unreachable(t, sent, options)
	expect_error(t, sent, "dest_unreachable", dest_unreachable{ code = options.code }, options)
end

return errors
