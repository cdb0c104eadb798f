-- Fragments, and how long a node waits for the rest of them: RFC 8200 section 4.5.
local echo = use "echo"
local errors = use "errors"
local timing = use "timing"

local reassembly = {}

-- A node must give up 60 seconds after the first fragment that arrived.
reassembly.TIMEOUT = 60
-- What is said of the end is seen not earlier than this, nor later.
reassembly.EARLIEST = timing.earliest(reassembly.TIMEOUT)
reassembly.LATEST = timing.latest(reassembly.TIMEOUT)

reassembly.ABANDON = "RFC 8200 4.5 must"
reassembly.REPORT = "RFC 8200 4.5 should"

-- The packet P of these tests: Echo Request number `number` with 80 octets of data, which makes 88
-- octets of ICMPv6, from `from` to `to`. Returned are its three fragments of 32, 32 and 24 octets.
reassembly.SIZE = 80
function reassembly.fragments_of(number, from, to, identification)
	local whole = ip6{ src = from, dst = to, hop_limit = 255 } / echo.request(number, reassembly.SIZE)
	return fragments(whole, { 32, 32, 24, identification = identification })
end

-- A last fragment of P that begins 8 octets too early, with the same octets that the second
-- fragment has there, and ends where it should: only the overlap is wrong with it.
function reassembly.overlapping_last(number, from, to, identification)
	local whole = ip6{ src = from, dst = to, hop_limit = 255 } / echo.request(number, reassembly.SIZE)
	return fragments(whole, { { offset = 56, size = 32, more = false }, identification = identification })[1]
end

-- Send these fragments in this order from `node`. Returns the first as it was sent, and when.
function reassembly.send(t, node, pieces)
	local first, at
	for _, piece in ipairs(pieces) do
		local sent = node:send(piece)
		first, at = first or sent, at or t:now()
	end
	return first, at
end

-- P must be put together: its Echo Reply comes, with all the data.
function reassembly.expect_reply(t, node, number, from, to, clause)
	t:expect(echo.reply(number, reassembly.SIZE, { src = to, dst = from }),
		{ to = node, within = echo.WINDOW, clause = clause, why = "the fragments must be reassembled" })
end

-- Time Exceeded about `first`, the fragment with offset 0, at the end of the 60 seconds that began
-- at `began`. `node` is who sent it.
function reassembly.expect_timeout(t, node, first, began)
	local answer, at = errors.expect_time_exceeded(t, first, { to = node, code = 1, clause = reassembly.REPORT,
		within = began + reassembly.LATEST - t:now(),
		why = "a node should report that it gave up a packet whose first fragment it has" })
	if answer then
		t:check(at - began >= reassembly.EARLIEST,
			string.format("the node gives up %.3f s after the first fragment, 60 s are its time", at - began),
			{ clause = reassembly.ABANDON })
	end
end

-- Seconds from now until everything that belongs to a packet begun at `began` must have been said.
function reassembly.rest(t, began)
	return math.max(0, began + reassembly.LATEST - t:now())
end

return reassembly
