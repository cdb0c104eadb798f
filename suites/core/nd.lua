-- Section 2 of the Core Protocols list: Neighbor Discovery, RFC 4861.
local echo = use "echo"
local setup = use "setup"
local timing = use "timing"

-- What must be in a multicast Neighbor Solicitation for TN1's link-local address.
local function multicast_solicitation(t)
	return ip6{ src = t.nut.link_local, dst = solicited_node(t.tn1.link_local), hop_limit = 255 }
		/ ns{ code = 0, target = t.tn1.link_local, nd_slla{ mac = t.nut.mac } }
end

-- A unicast one: the link-layer address SHOULD be there and may be left out.
local function unicast_solicitation(t)
	return ip6{ src = t.nut.link_local, dst = t.tn1.link_local, hop_limit = 255 }
		/ ns{ code = 0, target = t.tn1.link_local }
end

-- An Echo Request from TN1, who then keeps silent: three solicitations, `retrans` seconds apart,
-- and no more. `spacing` is the clause that an early one breaks.
local function expect_three_solicitations(t, number, retrans, spacing)
	t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local } / echo.request(number))
	local _, before = t:expect(multicast_solicitation(t),
		{ from = t.nut, within = 1, clause = "RFC 4861 7.2.2 MUST", why = "first solicitation" })
	for count = 2, 3 do
		local _, at = t:expect(multicast_solicitation(t), { from = t.nut, within = timing.latest(retrans),
			clause = "RFC 4861 7.2.2 SHOULD", why = string.format("solicitation %d of 3", count) })
		if not at then
			return
		end
		t:check(at - before >= timing.earliest(retrans),
			string.format("solicitation %d comes %.3f s after the one before, RetransTimer is %g s",
				count, at - before, retrans),
			{ clause = spacing })
		before = at
	end
	t:expect_none(ns{ target = t.tn1.link_local }, { during = retrans + 2, clause = "RFC 7048 3 SHOULD",
		why = "after MAX_MULTICAST_SOLICIT (3) no more, or at growing distances" })
	t:expect_none(echo.any_reply(number), { during = 0, clause = "RFC 4861 7.2.2 MUST" })
end

test {
	id = "v6LC.2.1.5.A",
	title = "Neighbor Solicitation Origination, Address Resolution - Part A: "
		.. "Neighbor Solicitation Origination, Target Address Being Link-local",
	role = "host",
	requires = {
		"RFC 4861 7.2.2 MUST", "RFC 4861 7.2.2 SHOULD", "RFC 7048 3 SHOULD", "RFC 4861 6.3.4 SHOULD",
		"RFC 4862 5.4 MUST", "RFC 4443 4.2 MUST",
	},
	timeout = 60,
	run = function(t)
		t.tn1:stop_answering()
		setup.one_router(t, { retrans_timer = 1000 })
		expect_three_solicitations(t, 1, 1, "RFC 4861 7.2.2 MUST")

		-- Again, with the RetransTimer that TR1 advertises now; hosts should take it over.
		setup.one_router(t, { retrans_timer = 5000, again = true })
		expect_three_solicitations(t, 2, 5, "RFC 4861 6.3.4 SHOULD")
	end,
}

test {
	id = "v6LC.2.1.7.D",
	title = "Invalid Neighbor Solicitation Handling - Part D: Invalid Hop Limit",
	role = "host",
	requires = { "RFC 4861 7.1.1 MUST", "RFC 4861 7.2.4 MUST", "RFC 4443 4.2 MUST" },
	run = function(t)
		local solicitation = ns{ target = t.nut.link_local, nd_slla{ mac = t.tn1.mac } }

		-- It has crossed a router: no answer, and no entry made of it, so that the Echo Request
		-- afterwards makes the NUT solicit TN1 first.
		t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local, hop_limit = 254 } / solicitation)
		t:expect_none(na{ target = t.nut.link_local },
			{ during = 3.5, clause = "RFC 4861 7.1.1 MUST", why = "a solicitation with Hop Limit 254 must be discarded" })
		t:expect_none(ns{ target = t.tn1.link_local }, { during = 0, clause = "RFC 4861 7.1.1 MUST" })
		t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local } / echo.request(1))
		t:expect(ns{ target = t.tn1.link_local },
			{ within = 1, clause = "RFC 4861 7.1.1 MUST", why = "the NUT must not know TN1's address from it" })
		t:expect(echo.reply(1), { to = t.tn1, within = echo.WINDOW, clause = echo.REPLY })

		-- The same with Hop Limit 255 is answered.
		t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local, hop_limit = 255 } / solicitation)
		t:expect(ip6{ hop_limit = 255, dst = t.tn1.link_local }
			/ na{ solicited = 1, router = 0, target = t.nut.link_local },
			{ to = t.tn1, within = echo.WINDOW, clause = "RFC 4861 7.2.4 MUST" })
	end,
}

test {
	id = "v6LC.2.1.8.B",
	title = "Neighbor Solicitation Processing, No NCE - Part B: Multicast Neighbor Solicitation",
	role = "host",
	requires = {
		"RFC 4861 7.2.4 MUST", "RFC 4861 7.2.4 SHOULD", "RFC 4861 7.2.3 SHOULD", "RFC 8504 5.4 MUST",
	},
	run = function(t)
		t.tn1:stop_answering()
		t.tn1:send(ip6{ src = t.tn1.link_local, dst = solicited_node(t.nut.link_local), hop_limit = 255 }
			/ ns{ target = t.nut.link_local, nd_slla{ mac = t.tn1.mac } })
		-- A node that makes no entry of it has to solicit TN1 before it can answer.
		local answer, answered = t:expect(
			ip6{ dst = t.tn1.link_local, hop_limit = 255 }
				/ na{ code = 0, router = 0, solicited = 1, target = t.nut.link_local, nd_tlla{ mac = t.nut.mac } },
			{ to = t.tn1, within = 1, clause = "RFC 4861 7.2.4 MUST", level = "MAY" })
		local asked = not answer and t:expect(ns{ target = t.tn1.link_local },
			{ within = 0, clause = "RFC 4861 7.2.3 SHOULD", level = "MAY" })
		t:check(not asked, "a solicitation should make an entry of its sender", { clause = "RFC 4861 7.2.3 SHOULD" })
		if asked then
			return
		end
		t:check(answer, "the NUT must answer with Solicited set, Router clear, and its link-layer address",
			{ clause = "RFC 4861 7.2.4 MUST" })
		t:check(answer.na.override == 1, "the Override flag goes with the link-layer address",
			{ clause = "RFC 4861 7.2.4 SHOULD" })

		-- TN1 is in the cache now, STALE: the reply goes out at once. The advertisement and the reply
		-- were packets to it, so after DELAY_FIRST_PROBE_TIME (5 s) it is probed by unicast.
		t:wait(0.2)
		t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local } / echo.request(1))
		local reply, replied = t:expect(echo.reply(1), { to = t.tn1, within = 1, clause = "RFC 4861 7.2.3 SHOULD",
			why = "a solicitation should make an entry of its sender" })
		if not reply then
			return
		end
		t:expect_none(ns{ target = t.tn1.link_local }, { during = answered + 4.9 - t:now(),
			clause = "RFC 4861 7.2.3 SHOULD", why = "the entry should be STALE, and not be probed before 5 s" })
		t:expect(unicast_solicitation(t), { to = t.tn1, within = replied + 6 - t:now(),
			clause = "RFC 8504 5.4 MUST", why = "a STALE neighbour that is used must be probed" })
	end,
}
