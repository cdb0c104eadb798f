-- Section 4 of the Core Protocols list: path MTU discovery, RFC 8201.
--
-- The list's requests have 1500 octets, or 1440 where it gives no size. Its Packet Too Big messages
-- go to the NUT's link-local address; here they go to the source of the packet that they quote, as
-- RFC 4443 3.2 has it.
local echo = use "echo"
local pmtu = use "pmtu"
local setup = use "setup"

-- The NUT must accept packets as large as its link takes (RFC 8200 section 5). Every path takes replies
-- of 1280 octets. A larger one it may send in fragments, if it does no path MTU discovery.
for _, row in ipairs{
	{ part = "A", size = 64, expect = pmtu.expect_whole, clauses = { echo.REPLY, setup.ADDRESS } },
	{ part = "B", size = 1280, expect = pmtu.expect_whole, clauses = { echo.REPLY, setup.ADDRESS } },
	{ part = "C", size = 1500, expect = pmtu.expect_reply, clauses = pmtu.clauses() },
} do
	test {
		id = "v6LC.4.1.1." .. row.part,
		title = string.format("Confirm Ping - Part %s: ICMPv6 Echo Request %d octets", row.part, row.size),
		role = "host",
		requires = { "RFC 8200 5 must", table.unpack(row.clauses) },
		run = function(t)
			local path = pmtu.path_to_tn2(t)
			row.expect(t, path, row.size, "RFC 8200 5 must")
		end,
	}
end

test {
	id = "v6LC.4.1.2",
	title = "Stored PMTU",
	role = "host",
	requires = pmtu.clauses{ pmtu.REDUCE },
	timeout = 90,
	run = function(t)
		-- TN1 is on link, TN2 and TN3 are behind TR1. Nobody prescribes what a path is: a node may keep
		-- one MTU for each destination, or one for all of them (RFC 8201 5.2). So replies on a path of
		-- which nothing was said may be whole or not.
		local tn2 = pmtu.path_to_tn2(t)
		local tn1 = pmtu.path_on_link(t, t.tn1, t.tn1.global, tn2.nut)
		local tn3 = pmtu.path_off_link(t, t.tn3, tn2.nut)

		pmtu.expect_reply(t, tn1, 1500)
		local to_tn2 = pmtu.expect_reply(t, tn2, 1500)
		pmtu.expect_reply(t, tn3, 1500)

		pmtu.too_big(t, 1400, to_tn2)
		pmtu.expect_reply(t, tn1, 1500)
		pmtu.expect_fragments(t, tn2, 1500, 1400)
		local to_tn3 = pmtu.expect_reply(t, tn3, 1500)

		pmtu.too_big(t, 1280, to_tn3)
		pmtu.expect_reply(t, tn1, 1500)
		pmtu.expect_fragments(t, tn2, 1500, 1400)
		pmtu.expect_fragments(t, tn3, 1500, 1280)
	end,
}

test {
	id = "v6LC.4.1.3",
	title = "Non-zero ICMPv6 Code",
	role = "host",
	requires = pmtu.clauses{ pmtu.REDUCE },
	run = function(t)
		local path = pmtu.path_to_tn2(t)
		local reply = pmtu.expect_reply(t, path, 1440)
		-- The receiver ignores the code (RFC 4443 3.2), so this message is as good as any other.
		pmtu.too_big(t, 1280, reply, { code = 0xff })
		pmtu.expect_fragments(t, path, 1440, 1280)
	end,
}

test {
	id = "v6LC.4.1.4",
	title = "Reduce PMTU On-link",
	role = "host",
	requires = pmtu.clauses{ "RFC 8201 3 must" },
	timeout = 60,
	run = function(t)
		-- Also what seems to be on link may be behind something with a smaller MTU. The list reboots
		-- the NUT between the two halves, to make it forget; another destination does as well.
		local address = setup.one_router(t)
		for _, path in ipairs{
			pmtu.path_on_link(t, t.tr1, t.tr1.link_local, t.nut.link_local),
			pmtu.path_on_link(t, t.tr1, t.tr1.global, address),
		} do
			local reply = pmtu.expect_reply(t, path, 1500)
			pmtu.too_big(t, 1280, reply)
			path.fragment_to = 1280
			pmtu.expect_fragments(t, path, 1500, 1280, "RFC 8201 3 must")
		end
	end,
}

test {
	id = "v6LC.4.1.5",
	title = "Reduce PMTU Off-link",
	role = "host",
	requires = pmtu.clauses{ pmtu.REDUCE },
	run = function(t)
		-- Twice smaller: the very next packet keeps to it.
		local path = pmtu.path_to_tn2(t)
		local reply = pmtu.expect_reply(t, path, 1440)
		pmtu.too_big(t, 1400, reply)
		local first = pmtu.expect_fragments(t, path, 1500, 1400)
		pmtu.too_big(t, 1280, first)
		pmtu.expect_fragments(t, path, 1500, 1280)
	end,
}

-- RFC 2460 had a node answer such a message with a Fragment header in packets of 1280 octets, and
-- the list once asked for that. It must be discarded now (RFC 8201 section 4, RFC 8021), so nothing
-- changes: replies are neither smaller than before nor atomic fragments.
for _, row in ipairs{
	{ part = "A", mtu = 56 },
	{ part = "B", mtu = 1279 },
} do
	test {
		id = "v6LC.4.1.6." .. row.part,
		title = string.format("Receiving MTU Below IPv6 Minimum Link MTU - Part %s: MTU equal to %d", row.part, row.mtu),
		role = "host",
		requires = pmtu.clauses{ pmtu.REDUCE, pmtu.MUST_NOT },
		run = function(t)
			local path = pmtu.path_to_tn2(t)
			local reply = pmtu.expect_reply(t, path, 1400)
			pmtu.too_big(t, row.mtu, reply)
			local again = pmtu.expect_reply(t, path, 1400)
			t:check(again.ip6.next_header == reply.ip6.next_header
				and again.ip6.payload_length == reply.ip6.payload_length,
				"a Packet Too Big message with an MTU below 1280 must be discarded: replies are what they were",
				{ clause = pmtu.REDUCE })
			pmtu.expect_whole(t, path, 1280, pmtu.MUST_NOT, "a path takes 1280 octets in any case")
		end,
	}
end

for _, row in ipairs{
	{ part = "A", title = "MTU increase", mtu = 1500 },
	{ part = "B", title = "MTU equal to 0x1FFFFFFF", mtu = 0x1fffffff },
} do
	test {
		id = "v6LC.4.1.7." .. row.part,
		title = string.format("Increase Estimate - Part %s: %s", row.part, row.title),
		role = "host",
		requires = pmtu.clauses{ pmtu.REDUCE, pmtu.MUST_NOT },
		run = function(t)
			local path = pmtu.path_to_tn2(t)
			local reply = pmtu.expect_reply(t, path, 1500)
			pmtu.too_big(t, 1304, reply)
			local first = pmtu.expect_fragments(t, path, 1500, 1304)
			pmtu.too_big(t, row.mtu, first)
			pmtu.expect_fragments(t, path, 1500, 1304, pmtu.MUST_NOT)
		end,
	}
end

test {
	id = "v6LC.4.1.8",
	title = "Router Advertisement with MTU Option (Hosts Only)",
	role = "host",
	requires = pmtu.clauses{ "RFC 4861 6.3.4 SHOULD" },
	run = function(t)
		local path = pmtu.path_to_tn2(t)
		pmtu.expect_reply(t, path, 1500)

		t.tr1:send(ip6{ src = t.tr1.link_local, dst = "ff02::1" } / ra{
			router_lifetime = 1800,
			reachable_time = 30000,
			retrans_timer = 1000,
			nd_prefix{ prefix = setup.PREFIX, valid_lifetime = 3600, preferred_lifetime = 3600 },
			nd_mtu{ mtu = 1280 },
		})
		t:wait(0.5) -- an advertisement has no answer that would say that it was processed

		-- No path takes more than its first hop. A host should copy the option's value; one that
		-- does not still answers, with packets of 1500 octets.
		path.fragment_to = 1280
		local first = pmtu.expect_reply(t, path, 1500)
		t:check(40 + first.ip6.payload_length <= 1280,
			string.format("the reply comes in packets of %d octets, TR1 said 1280", 40 + first.ip6.payload_length),
			{ clause = "RFC 4861 6.3.4 SHOULD" })
	end,
}

-- RFC 8201 section 4: no attempt at more within 5 minutes of a Packet Too Big message. The last
-- request goes out 10 s before, so that the moment itself is not judged.
local NO_INCREASE = 290
-- "On the order of 10 minutes" (RFC 8201 5.3), looked at every 30 s: 15 minutes is that order still.
local AGED = 900
local EVERY = 30

test {
	id = "v6LC.4.1.9",
	title = "Checking For Increase in PMTU",
	role = "host",
	requires = pmtu.clauses{ pmtu.REDUCE, pmtu.MUST_NOT, "RFC 8201 5.3 should" },
	timeout = 1000,
	run = function(t)
		local path = pmtu.path_to_tn2(t)
		local reply = pmtu.expect_reply(t, path, 1440)
		pmtu.too_big(t, 1304, reply)
		local began = t:now()
		pmtu.expect_fragments(t, path, 1440, 1304)
		for at = EVERY, NO_INCREASE, EVERY do
			t:wait(math.max(0, began + at - t:now()))
			pmtu.expect_fragments(t, path, 1440, 1304, pmtu.MUST_NOT)
		end
		t:wait(math.max(0, began + NO_INCREASE - t:now()))
		pmtu.expect_fragments(t, path, 1440, 1304, pmtu.MUST_NOT)

		if reply:has("fragment") then
			return -- it never sends more
		end
		-- Afterwards a node may try more; it should, some time.
		local grown
		while not grown and t:now() - began < AGED do
			t:wait(EVERY)
			local first = pmtu.expect_reply(t, path, 1440)
			grown = 40 + first.ip6.payload_length > 1304
		end
		t:check(grown, "the node tries more than 1304 octets within 15 minutes", { clause = "RFC 8201 5.3 should" })
		if grown then
			t:note(string.format("the first larger packet came %.0f s after the Packet Too Big message", t:now() - began))
		end
	end,
}

-- The group of the list's multicast tests, of global scope (RFC 4291 2.7).
local GROUP = "ff1e::1:2"

-- Set-up of both: TR1 advertises the link's MTU, with which the path MTU begins (RFC 8201 5.2). Returns
-- the first request. An application to send them is a SHOULD (RFC 4443 4.1): nothing is returned when
-- the NUT does not send it.
local SEND = "RFC 4443 4.1 SHOULD"
local function first_request(t)
	setup.one_router(t)
	t.tr1:send(ip6{ src = t.tr1.link_local, dst = "ff02::1" } / ra{
		router_lifetime = 1800,
		nd_prefix{ prefix = setup.PREFIX, valid_lifetime = 3600, preferred_lifetime = 3600 },
		nd_mtu{ mtu = 1500 },
	})
	t:wait(0.5) -- an advertisement has no answer that would say that it was processed
	return pmtu.expect_group_first(t, GROUP, 1500, SEND)
end

-- The smallest path MTU of all paths is the group's (RFC 8201 section 3).
test {
	id = "v6LC.4.1.10",
	title = "Multicast Destination - One Router",
	role = "host",
	requires = pmtu.clauses{ pmtu.REDUCE, pmtu.MUST_NOT, SEND },
	timeout = 60,
	run = function(t)
		local sent = first_request(t)
		if not sent then
			return
		end
		local seen = {}
		pmtu.too_big(t, 1450, sent)
		sent = pmtu.expect_group_fragments(t, GROUP, 1500, 1450, seen)
		pmtu.too_big(t, 1400, sent)
		pmtu.expect_group_fragments(t, GROUP, 1500, 1400, seen)

		sent = pmtu.expect_group_whole(t, GROUP, 1400, SEND)
		if not sent then
			return
		end
		pmtu.too_big(t, 1300, sent)
		sent = pmtu.expect_group_fragments(t, GROUP, 1400, 1300, seen)
		pmtu.too_big(t, 1350, sent) -- no reason to send more
		pmtu.expect_group_fragments(t, GROUP, 1400, 1300, seen, pmtu.MUST_NOT)
	end,
}

test {
	id = "v6LC.4.1.11",
	title = "Multicast Destination - Two Routers",
	role = "host",
	requires = pmtu.clauses{ pmtu.REDUCE, pmtu.MUST_NOT, SEND },
	timeout = 60,
	run = function(t)
		local sent = first_request(t)
		if not sent then
			return
		end
		local seen = {}
		pmtu.too_big(t, 1480, sent)
		sent = pmtu.expect_group_fragments(t, GROUP, 1500, 1480, seen)
		pmtu.too_big(t, 1440, sent)
		sent = pmtu.expect_group_fragments(t, GROUP, 1500, 1440, seen)

		pmtu.too_big(t, 1400, sent)
		pmtu.too_big(t, 1360, sent, { router = t.tr2 })
		sent = pmtu.expect_group_fragments(t, GROUP, 1500, 1360, seen)

		pmtu.too_big(t, 1280, sent)
		pmtu.too_big(t, 1320, sent, { router = t.tr2 }) -- later, and larger: the smaller one stays
		pmtu.expect_group_fragments(t, GROUP, 1500, 1280, seen, pmtu.MUST_NOT)
	end,
}

test {
	id = "v6LC.4.1.12",
	title = "Validate Packet Too Big",
	role = "host",
	requires = pmtu.clauses{ pmtu.REDUCE, "RFC 8201 4 should" },
	run = function(t)
		-- What a node that answers Echo Requests should find out from a reply that it never sent is
		-- not much: it keeps no record of its replies. Hence WARN, not FAIL (RFC 8201 section 4).
		local path = pmtu.path_to_tn2(t)
		local reply = pmtu.expect_reply(t, path, 1500)
		if reply:has("fragment") then
			t:skip("the NUT does no path MTU discovery: its packets have 1280 octets or less")
		end
		pmtu.too_big(t, 1280, reply:with("echo_reply", { identifier = 0xdead }))
		local next_reply = pmtu.expect_reply(t, path, 1500)
		t:check(next_reply:has("echo_reply"), "a Packet Too Big message about a packet never sent changes nothing",
			{ clause = "RFC 8201 4 should" })

		pmtu.too_big(t, 1280, next_reply)
		pmtu.expect_fragments(t, path, 1500, 1280)
	end,
}
