-- Path MTU discovery, RFC 8201, and the fragments that a node makes of what does not fit into a
-- path MTU, RFC 8200 section 4.5. Sizes are those of whole IPv6 packets, header included.
--
-- RFC 8201 section 4 is about nodes that do path MTU discovery. One that does not never sends more than
-- 1280 octets (section 1): its larger replies come in fragments from the beginning, and it is noted.
local echo = use "echo"
local setup = use "setup"

local pmtu = {}

-- A node must reduce what it sends on a path to the MTU of a Packet Too Big message ...
pmtu.REDUCE = "RFC 8201 4 must"
-- ... and never to less than 1280 octets, nor to more than before.
pmtu.MUST_NOT = "RFC 8201 4 must not"
-- How fragments are made of a packet. They must not overlap, and one alone is no fragment.
pmtu.FRAGMENT = "RFC 8200 4.5 must"
pmtu.OVERLAP = "RFC 8200 4.5 must not"
pmtu.ATOMIC = "RFC 8504 5.1 MUST NOT"

-- The clauses of a reply that may come in fragments, and `more`.
function pmtu.clauses(more)
	local clauses = { pmtu.FRAGMENT, pmtu.OVERLAP, pmtu.ATOMIC, echo.REPLY, setup.ADDRESS }
	for _, clause in ipairs(more or {}) do
		table.insert(clauses, clause)
	end
	return clauses
end

-- Octets of the IPv6 header, and of it and the ICMPv6 header of an echo message.
local HEADER, ECHO_HEADERS = 40, 48

-- The path from the NUT's address `nut` to `peer`, an address of `node`. What the NUT sends on it
-- goes to the link-layer address of `via`: the router, or the node itself when it is on link.
local function make_path(node, peer, nut, via)
	return { node = node, peer = peer, nut = nut, via = via, number = 0, identifications = {} }
end

-- The path to TN2 or TN3, who are behind TR1. The NUT knows TR1 from set-up 1.1.
function pmtu.path_off_link(t, node, nut)
	return make_path(node, node.global, nut, t.tr1)
end

-- The path to `peer`, an address of a node of the NUT's own link. The NUT resolves it first: of a reply
-- in fragments that waits for that it need not keep more than one (RFC 4861 7.2.2).
function pmtu.path_on_link(t, node, peer, nut)
	echo.control(t, node, 0x3000, peer, nut)
	return make_path(node, peer, nut, node)
end

-- Set-up 1.1, and the path to TN2.
function pmtu.path_to_tn2(t)
	return pmtu.path_off_link(t, t.tn2, setup.one_router(t))
end

-- The next Echo Request on that path, of `size` octets; in fragments when path.fragment_to says how
-- large a packet to the NUT may be.
local function request(path, size)
	path.number = path.number + 1
	local whole = ip6{ src = path.peer, dst = path.nut } / echo.request(path.number, size - ECHO_HEADERS)
	if not path.fragment_to then
		path.node:send(whole)
		return
	end
	local pieces = fragments(whole, { mtu = path.fragment_to, identification = 0x4000 + path.number })
	for _, piece in ipairs(pieces) do
		path.node:send(piece)
	end
end

local function reply_pattern(path, size)
	return echo.reply(path.number, size - ECHO_HEADERS, { src = path.nut, dst = path.peer })
end

-- All fragments of one packet that `headers` (an ip6 pattern) matches, in order. None may be larger
-- than `mtu`; smaller is allowed. `options` are those of t:expect; `early` is a fragment that has been
-- taken already, or nil. Returns the packet that they make and its first fragment.
local function collect(t, headers, mtu, seen, options, early)
	local pieces, octets, total = {}, 0, nil
	repeat
		local piece = early or t:expect(headers / fragment{}, options)
		early = nil
		local last = piece.fragment.more == 0
		t:check(piece.fragment.offset > 0 or not last, "a whole packet gets no Fragment header", { clause = pmtu.ATOMIC })
		local size = piece.raw and #piece.raw.data or 0
		t:check(HEADER + piece.ip6.payload_length <= mtu,
			string.format("a fragment of %d octets, the path takes %d", HEADER + piece.ip6.payload_length, mtu),
			{ clause = options.clause })
		t:check(size > 0 and (last or size % 8 == 0),
			string.format("fragments but the last are multiples of 8 octets, this one has %d", size),
			{ clause = pmtu.FRAGMENT })
		t:check(#pieces == 0 or piece.fragment.identification == pieces[1].fragment.identification,
			"the fragments of a packet have the same Identification", { clause = pmtu.FRAGMENT })
		table.insert(pieces, piece)
		octets = octets + size
		total = last and 8 * piece.fragment.offset + size or total
	until total and octets >= total

	table.sort(pieces, function(a, b) return a.fragment.offset < b.fragment.offset end)
	local reached = 0
	for _, piece in ipairs(pieces) do
		t:check(8 * piece.fragment.offset == reached,
			string.format("a fragment begins at %d, the one before ends at %d", 8 * piece.fragment.offset, reached),
			{ clause = pmtu.OVERLAP })
		reached = reached + #piece.raw.data
	end
	local identification = pieces[1].fragment.identification
	t:check(not seen[identification],
		string.format("Identification 0x%08x is another one than in the packets before", identification),
		{ clause = pmtu.FRAGMENT })
	seen[identification] = true
	return reassemble(pieces), pieces[1]
end

local function reply_headers(path)
	return ip6{ src = path.nut, dst = path.peer, hop_limit = range(1, 255) }
end

-- The fragments of the reply to the last request, which has `size` octets.
local function collect_reply(t, path, size, mtu, options, early)
	local whole, first = collect(t, reply_headers(path), mtu, path.identifications, options, early)
	local right = (ip6{ src = path.nut, dst = path.peer }
		/ echo_reply{ identifier = path.number, sequence = path.number, data = echo.data(size - ECHO_HEADERS) })
	t:check(whole:bytes():sub(HEADER + 1) == right:bytes():sub(HEADER + 1),
		"the fragments make the whole Echo Reply, with the data of the request and a right checksum",
		{ clause = echo.REPLY })
	return first
end

-- An Echo Request of `size` octets on the path must be answered by one packet without a Fragment
-- header. Returns the reply.
function pmtu.expect_whole(t, path, size, clause, why)
	request(path, size)
	return t:expect(reply_pattern(path, size),
		{ to = path.via, within = echo.WINDOW, clause = clause or echo.REPLY, why = why })
end

-- The reply must come in fragments of at most `mtu` octets, and not whole as well. Returns the first
-- fragment.
function pmtu.expect_fragments(t, path, size, mtu, clause)
	request(path, size)
	local first = collect_reply(t, path, size, mtu, { to = path.via, within = echo.WINDOW, clause = clause or pmtu.REDUCE,
		why = string.format("the path takes %d octets, so a reply of %d must come in fragments", mtu, size) })
	t:expect_none(reply_pattern(path, size), { during = 1, clause = clause or pmtu.REDUCE,
		why = string.format("a whole reply is larger than the %d octets of the path", mtu) })
	return first
end

-- The reply may come whole or in fragments: it is said which. Returns it, or its first fragment.
function pmtu.expect_reply(t, path, size, clause)
	clause = clause or echo.REPLY
	request(path, size)
	local whole = t:expect(reply_pattern(path, size), { to = path.via, within = echo.WINDOW, level = "MAY",
		clause = clause, why = "the reply may be whole: nothing was said about this path" })
	if whole then
		return whole
	end
	local options = { to = path.via, within = 0, clause = clause, level = "MAY", why = "or it may come in fragments" }
	local piece = t:expect(reply_headers(path) / fragment{}, options)
	options.level = "MUST"
	if not piece then
		options.why = "the request must be answered, by a whole packet or in fragments"
		t:expect(reply_pattern(path, size), options)
	end
	local first = collect_reply(t, path, size, size, options, piece)
	t:note(string.format("the reply came in fragments of %d octets or less", HEADER + first.ip6.payload_length))
	return first
end

-- Packet Too Big from a router, TR1 if it is not named: `quoted` was too large for a link of that MTU.
-- It goes to the source of that packet and quotes as much of it as fits (RFC 4443 3.2, 2.4 c).
function pmtu.too_big(t, mtu, quoted, options)
	options = options or {}
	local router = options.router or t.tr1
	router:send(ip6{ src = router.link_local, dst = quoted.ip6.src }
		/ packet_too_big{ code = options.code or 0, mtu = mtu, invoking = quoted:quote() })
end

-- The NUT sends an Echo Request of `size` octets to the group, once, when what was sent to it has
-- arrived. Nobody answers.
local function ping_group(t, group, size)
	t:wait(0.2)
	t:command{ "ping", "-6", "-c", "1", "-W", "1", "-s", tostring(size - ECHO_HEADERS), "-I", "eth0", group,
		may_fail = true }
end

-- That request must come as one packet of `size` octets. Returns it, or nothing if it did not come
-- and did not have to.
function pmtu.expect_group_whole(t, group, size, clause)
	ping_group(t, group, size)
	return t:expect(ether{ dst = multicast_mac(group) }
		/ ip6{ dst = group, next_header = 58, payload_length = size - HEADER, hop_limit = range(1, 255) }
		/ echo_request{ code = 0 },
		{ from = t.nut, within = 1, clause = clause, why = string.format("the NUT was told to send %d octets", size) })
end

-- That request, of which no path has said anything yet: it should come as one packet, which is returned. A node
-- that does no path MTU discovery sends fragments; then the test does not apply. Nothing is returned when it did not
-- come at all and did not have to.
function pmtu.expect_group_first(t, group, size, clause)
	ping_group(t, group, size)
	local headers = ether{ dst = multicast_mac(group) } / ip6{ dst = group, hop_limit = range(1, 255) }
	local whole = t:expect(headers / echo_request{ code = 0 }, { from = t.nut, within = 1, level = "MAY", clause = clause,
		why = "the request may be whole: nothing was said about this path" })
	if whole then
		t:check(HEADER + whole.ip6.payload_length == size,
			string.format("the NUT was told to send %d octets, and sends %d", size, HEADER + whole.ip6.payload_length),
			{ clause = clause })
		return whole
	end
	if t:expect(headers / fragment{}, { from = t.nut, within = 0, clause = clause,
		why = string.format("the NUT was told to send %d octets", size) }) then
		t:skip("the NUT does no path MTU discovery: its packets have 1280 octets or less")
	end
end

-- It must come in fragments of at most `mtu` octets. Returns the first of them.
function pmtu.expect_group_fragments(t, group, size, mtu, seen, clause)
	ping_group(t, group, size)
	local whole, first = collect(t, ether{ dst = multicast_mac(group) } / ip6{ dst = group }, mtu, seen, {
		from = t.nut, within = 1, clause = clause or pmtu.REDUCE,
		why = string.format("a path to the group takes %d octets", mtu),
	})
	t:check(whole:matches(ip6{ dst = group } / echo_request{ code = 0 })
		and HEADER + whole.ip6.payload_length == size,
		string.format("the fragments make an Echo Request of %d octets", size), { clause = pmtu.FRAGMENT })
	return first
end

return pmtu
