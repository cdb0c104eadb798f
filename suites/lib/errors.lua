-- ICMPv6 errors: RFC 4443 sections 2.4 and 3.
local echo = use "echo"

local errors = {}

-- Source of an error: the address that the packet was sent to, if that was a unicast address of
-- the node; otherwise one of the node's unicast addresses.
errors.SOURCE = "RFC 4443 2.2 MUST"
-- As much of the packet as fits into 1280 octets.
errors.QUOTE = "RFC 4443 2.4 MUST"

-- Wait for `message` about the packet `sent`. It must come from the right address and quote the
-- packet, octet for octet. Returns the error and when it came, or nothing if it did not come and
-- did not have to. In `options`: to, clause, level, why, and within (seconds).
local function expect_error(t, sent, name, message, options)
	local answer, at = t:expect(ip6{ dst = sent.ip6.src, next_header = 58 } / message,
		{ to = options.to, within = options.within or echo.WINDOW, clause = options.clause, level = options.level,
			why = options.why })
	if not answer then
		return
	end
	if in_prefix(sent.ip6.dst, "ff00::/8") then
		t:check(not in_prefix(answer.ip6.src, "ff00::/8") and answer.ether.src == t.nut.mac,
			string.format("the error comes from %s, a unicast address of the NUT", answer.ip6.src),
			{ clause = errors.SOURCE })
	else
		t:check(answer.ip6.src == sent.ip6.dst,
			string.format("the error comes from %s, the packet was sent to %s", answer.ip6.src, sent.ip6.dst),
			{ clause = errors.SOURCE })
	end
	t:check(answer[name].invoking == (options.quote or sent:quote()),
		"the error quotes as much of the packet as fits, unchanged", { clause = errors.QUOTE })
	return answer, at
end

-- Parameter Problem (RFC 4443 3.4) with this code and pointer; any, where they are not given.
function errors.expect_problem(t, sent, options)
	return expect_error(t, sent, "param_problem",
		param_problem{ code = options.code, pointer = options.pointer }, options)
end

-- Destination Unreachable with this code (RFC 4443 3.1).
function errors.expect_unreachable(t, sent, options)
	return expect_error(t, sent, "dest_unreachable", dest_unreachable{ code = options.code }, options)
end

-- Time Exceeded with this code (RFC 4443 3.3). The 32 bits that RFC 4443 calls unused may hold a
-- length by now (RFC 4884 4.5), so they are not looked at.
function errors.expect_time_exceeded(t, sent, options)
	return expect_error(t, sent, "time_exceeded", time_exceeded{ code = options.code }, options)
end

-- Next Header values that IANA has assigned to nobody (2024): the list's 143 to 147 have become
-- Ethernet, AGGFRAG, NSH and others; 253 and 254 are for experiments.
local FIRST_UNASSIGNED, LAST_UNASSIGNED = 148, 252
-- Nodes must limit the rate of their errors (RFC 4443 2.4 f); Linux lets one a second through.
local PAUSE = 1.1

-- `step(value, number)` for each of them: it sends an Echo Request with that number behind the
-- value, and judges. After each, a plain Echo Request must be answered.
function errors.each_unassigned_header(t, step)
	echo.control(t, t.tn1, 1)
	for value = FIRST_UNASSIGNED, LAST_UNASSIGNED do
		step(value, 2 * value)
		echo.control(t, t.tn1, 2 * value + 1)
		t:wait(PAUSE)
	end
end

return errors
