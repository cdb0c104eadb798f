-- Section 2.2 of the Core Protocols list, first half: router discovery of a host, RFC 4861 section 6.3.
local cache = use "neighbor_cache"
local echo = use "echo"
local router = use "router"
local setup = use "setup"
local timing = use "timing"

-- --- v6LC.2.2.11: a router that does not answer any more ------------------------------------------------------------

-- Hosts keep at least two routers, so that there is one to go on with.
local RETAIN = "RFC 4861 6.3.4 MUST"
-- What the NUT has to do must be seen within so many Echo Requests, one a second.
local SWITCH = 40

test {
	id = "v6LC.2.2.11",
	title = "Default Router Switch (Hosts Only) - Default Router Switch",
	role = "host",
	requires = router.requires{ RETAIN },
	timeout = 120,
	run = function(t)
		-- TR2 is no better than TR1: the NUT has not resolved it when it begins to send. (An RA with a link-layer
		-- address would make an entry.) It may use either (RFC 4191 section 3.2).
		local routers = router.list(t)
		routers:advertise(t.tr1, { reachable_time = 10000 })
		routers:wait_for_address()
		routers:expect_first_hop(t.tr1)
		routers:advertise(t.tr2, { reachable_time = 10000 })
		local failing = routers:expect_first_hop()
		local other = failing == t.tr1 and t.tr2 or t.tr1

		-- That one gives no more answers. It was confirmed not later than now, so when ReachableTime is over the next
		-- packet starts DELAY, and after three probes without an answer it is unreachable.
		failing:stop_answering()
		local began = t:now()
		local _, reachable = routers:reachable_time()
		local deadline = began + reachable + 1 + timing.latest(timing.DELAY_FIRST_PROBE)
			+ timing.SOLICITATIONS * timing.latest(routers.retrans_timer)
		assert(deadline - began < SWITCH)
		for number = 1, SWITCH do
			t.tn2:send(ip6{ src = t.tn2.global, dst = routers:address() } / echo.request(number))
			t:wait(1)
		end

		-- Replies go to the one until it is known to be gone, and then to the other. One that was lost between is fine.
		local switched
		for number = 1, SWITCH do
			local sent = began + number - 1
			local late = sent > deadline
			local reply = t:expect(echo.reply(number, 8, { src = routers:address(), dst = t.tn2.global }),
				{ from = t.nut, within = 0, clause = RETAIN, level = late and "MUST" or "MAY",
					why = string.format("%s does not answer, so the NUT must use its other router by now",
						failing.name:upper()) })
			if reply and reply.ether.dst == other.mac then
				switched = switched or sent
			elseif reply then
				t:check(reply.ether.dst == failing.mac and not switched and not late, string.format(
					"the reply goes to %s, %.0f s after %s (%s) stopped answering: the NUT must use %s by now",
					reply.ether.dst, sent - began, failing.name:upper(), failing.mac, other.name:upper()),
					{ clause = RETAIN })
			end
		end
		t:note(string.format("the NUT uses %s %.0f s after %s stopped answering", other.name:upper(), switched - began,
			failing.name:upper()))
		t:expect(ip6{ dst = failing.link_local } / ns{ target = failing.link_local }, { from = t.nut, within = 0,
			clause = router.DISCOVERY, why = "a router that is used must be probed when its ReachableTime is over" })
	end,
}

-- --- v6LC.2.2.12: advertisements that are not valid ------------------------------------------------------------------

-- That no node has of itself.
local STRANGE_HOP_LIMIT = 33

for _, row in ipairs{
	{ part = "A", title = "A: Global Source Address", fault = "source" },
	{ part = "B", title = "B: Hop Limit less than 255", fault = "hop_limit" },
	{ part = "C", title = "C: Invalid Checksum", fault = "checksum" },
	{ part = "D", title = "D: Invalid ICMP Code", fault = "code" },
	{ part = "E", title = "E: Invalid ICMP Length", fault = "length" },
	{ part = "F", title = "F: Option of Length 0", fault = "option_length" },
} do
	test {
		id = "v6LC.2.2.12." .. row.part,
		title = "Router Advertisement Processing, Validity (Hosts Only) - Part " .. row.title,
		role = "host",
		requires = cache.requires(router.requires{ router.INVALID, router.PREFERENCE }),
		timeout = 60,
		run = function(t)
			-- It would tell the NUT a router, its link-layer address, a prefix and a Hop Limit.
			local invalid = router.INVALID_ADVERTISEMENTS[row.fault]
			local why = string.format("an advertisement with %s must be discarded", invalid.what)
			local tr1 = cache.entry(t, t.tr1)
			local before = echo.control(t, t.tn1, 1)
			t.tr1:send(invalid.make(t.tr1, { preference = router.HIGH, cur_hop_limit = STRANGE_HOP_LIMIT,
				reachable_time = 600000, nd_slla{ mac = t.tr1.mac } }))
			t:expect_none(ns{ target = prefix(setup.PREFIX_X) },
				{ during = echo.SILENCE, clause = router.INVALID, why = why .. ", the prefix in it too" })
			tr1:ignores(router.INVALID, why)
			tr1:verify()
			local after = echo.control(t, t.tn1, 2)
			t:check(after.ip6.hop_limit == before.ip6.hop_limit, string.format("%s, its Cur Hop Limit too: replies had "
				.. "Hop Limit %d and now have %d", why, before.ip6.hop_limit, after.ip6.hop_limit),
				{ clause = router.INVALID })

			-- The same without the fault, from TR2: TR1 would be the better router, if it were one.
			local routers = router.list(t)
			routers:advertise(t.tr2, { preference = router.LOW, nd_slla{ mac = t.tr2.mac } })
			routers:wait_for_address()
			routers:expect_first_hop(t.tr2, { clause = router.INVALID, why = why .. ": TR1 is no router" })

			if row.fault == "source" then
				-- The entry would be that of the source, to which the NUT has a way now.
				local source = cache.entry(t, t.tr1, { address = t.tr1.global, nut = routers:address() })
				source:ignores(router.INVALID, why)
				source:verify()
			end
		end,
	}
end

-- --- v6LC.2.2.13: the Hop Limit of what the NUT sends ----------------------------------------------------------------

local HOP_LIMIT_TITLE = "Router Advertisement Processing, Cur Hop Limit - Part "
local KEEP = "RFC 4861 6.3.4 MUST NOT"

test {
	id = "v6LC.2.2.13.A",
	title = HOP_LIMIT_TITLE .. "A: Unspecified",
	role = "host",
	requires = { KEEP, router.VARIABLES, echo.REPLY, setup.ADDRESS },
	run = function(t)
		-- Zero is no value: neither at first ...
		local routers = router.set_up(t, { t.tr1 }, { cur_hop_limit = 0 })
		local before = echo.control(t, t.tn1, 1).ip6.hop_limit
		routers:advertise(t.tr1, { cur_hop_limit = 0 })
		t:check(echo.control(t, t.tn1, 2).ip6.hop_limit == before,
			string.format("after an advertisement with Cur Hop Limit 0 the Hop Limit of replies is still %d", before),
			{ clause = KEEP })

		-- ... nor does it take back what was advertised.
		routers:advertise(t.tr1, { cur_hop_limit = 100 })
		before = echo.control(t, t.tn1, 3).ip6.hop_limit
		routers:advertise(t.tr1, { cur_hop_limit = 0 })
		t:check(echo.control(t, t.tn1, 4).ip6.hop_limit == before,
			string.format("0 must not bring back the default: the Hop Limit of replies is still %d", before),
			{ clause = KEEP })
	end,
}

test {
	id = "v6LC.2.2.13.B",
	title = HOP_LIMIT_TITLE .. "B: Non-Zero",
	role = "host",
	requires = { router.VARIABLES, echo.REPLY, setup.ADDRESS },
	run = function(t)
		local routers = router.set_up(t, { t.tr1 })
		for _, hop_limit in ipairs{ 100, 15, 255 } do
			routers:advertise(t.tr1, { cur_hop_limit = hop_limit })
			routers:expect_cur_hop_limit(t.tn1)
		end
	end,
}

-- --- v6LC.2.2.14: the Router Lifetime ---------------------------------------------------------------------------

local LIFETIME_TITLE = "Router Advertisement Processing, Router Lifetime (Hosts Only) - Part "

test {
	id = "v6LC.2.2.14.A",
	title = LIFETIME_TITLE .. "A: Router Lifetime Updated with Same Lifetime",
	role = "host",
	requires = router.requires(),
	timeout = 90,
	run = function(t)
		-- The prefix and its address live for an hour: only TR1 goes.
		local routers = router.list(t)
		routers:advertise(t.tr1, { router_lifetime = 20 })
		local _, first_end = routers:expiry(t.tr1)
		routers:wait_for_address()
		routers:expect_first_hop(t.tr1)
		routers:wait_until_last_second(t.tr1)
		routers:expect_first_hop(t.tr1)

		-- Again: the timer starts anew, so TR1 is there when the first lifetime would be over.
		routers:advertise(t.tr1, { router_lifetime = 20 })
		t:wait(first_end - t:now())
		routers:expect_first_hop(t.tr1)
		routers:wait_until_last_second(t.tr1)
		routers:expect_first_hop(t.tr1)
		routers:wait_until_expired(t.tr1)
		routers:expect_no_first_hop()
	end,
}

for _, row in ipairs{
	{ part = "B", lifetime = 0, title = "B: Router Lifetime Set to Zero" },
	{ part = "C", lifetime = 5, title = "C: Router Lifetime Set to Five; Allowed to Expire" },
} do
	test {
		id = "v6LC.2.2.14." .. row.part,
		title = LIFETIME_TITLE .. row.title,
		role = "host",
		requires = router.requires(),
		timeout = 60,
		run = function(t)
			-- Set-up 1.2. The NUT uses either router ...
			local routers = router.set_up(t, { t.tr1, t.tr2 })
			routers:expect_first_hop()

			-- ... and then the one that is left. The same destination must move, if it used the other.
			routers:advertise(t.tr1, { router_lifetime = row.lifetime })
			routers:wait_until_expired(t.tr1)
			routers:expect_first_hop(t.tr2)

			routers:advertise(t.tr2, { router_lifetime = row.lifetime })
			routers:wait_until_expired(t.tr2)
			routers:expect_no_first_hop()
		end,
	}
end

-- --- v6LC.2.2.15: Reachable Time ---------------------------------------------------------------------------------

-- Neighbor Unreachability Detection is done for every neighbour.
local PROBE = "RFC 8504 5.4 MUST"

-- TN1 sends an Echo Request a second for so many seconds and answers when it is solicited. The NUT confirms it, lets
-- ReachableTime pass, sends the next reply (DELAY), and solicits TN1 five seconds later: so far apart are its probes.
-- Of the first `skipped` of them nothing is said. False if they do not come when they should; `clause` is what that
-- breaks.
local function expect_probes(t, routers, seconds, skipped, clause)
	local shortest, longest = routers:reachable_time()
	shortest = shortest + timing.earliest(timing.DELAY_FIRST_PROBE)
	longest = longest + 1 + timing.latest(timing.DELAY_FIRST_PROBE)

	local from = t:now()
	for number = 1, seconds do
		t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local } / echo.request(number))
		t:wait(1)
	end
	for number = 1, seconds do
		t:expect(echo.reply(number, 8, { src = t.nut.link_local, dst = t.tn1.link_local }),
			{ to = t.tn1, within = 0, clause = echo.REPLY, why = "TN1 is reachable all the time" })
	end

	local count, before, are_right = 0, from, true
	repeat
		local _, at = t:expect(ip6{ dst = t.tn1.link_local } / ns{ target = t.tn1.link_local },
			{ to = t.tn1, within = 0, clause = PROBE, level = "MAY", why = "a probe of TN1" })
		local distance = (at or from + seconds) - before
		are_right = t:check(count < skipped or (not at or distance >= shortest) and distance <= longest, string.format(
			"probes come %.1f to %.1f s after one another, by BaseReachableTime %g s; %s %.3f s after the one before",
			shortest, longest, routers.base_reachable_time, at and "this one comes" or "none came until", distance),
			{ clause = clause or router.VARIABLES }) and are_right
		before, count = at, count + 1
	until not at
	t:check(count > 1, string.format("a neighbour that is used for %d s must be probed", seconds), { clause = PROBE })
	return are_right
end

local REACHABLE_TITLE = "Router Advertisement Processing, Reachable Time - Part "
local REACHABLE_CLAUSES = { router.VARIABLES, PROBE, echo.REPLY }
local UNSPECIFIED = "RFC 4861 6.3.4 MUST NOT"

test {
	id = "v6LC.2.2.15.A,1",
	title = REACHABLE_TITLE .. "A,1: RA Processing - Reachable Time (Host Only)",
	role = "host",
	requires = { router.VARIABLES, UNSPECIFIED, PROBE, echo.REPLY },
	timeout = 180,
	run = function(t)
		-- A Router Lifetime of zero says nothing about the rest of an advertisement (RFC 4861 section 4.2).
		local routers = router.list(t)
		routers:advertise(t.tr1, { router_lifetime = 0, reachable_time = 10000, prefix = false })
		if expect_probes(t, routers, 60, 0) then
			-- Zero tells nothing, in particular not that the default holds again.
			routers:advertise(t.tr1, { router_lifetime = 0, reachable_time = 0, prefix = false })
			expect_probes(t, routers, 60, 1, UNSPECIFIED)
		end
	end,
}

test {
	id = "v6LC.2.2.15.A,2",
	title = REACHABLE_TITLE .. "A,2: RA Processing - Reachable Time (Host Only)",
	role = "host",
	requires = REACHABLE_CLAUSES,
	timeout = 240,
	run = function(t)
		-- TN1 is confirmed with the ReachableTime of 10 s, which may still hold for the first probe.
		local routers = router.list(t)
		routers:advertise(t.tr1, { router_lifetime = 0, reachable_time = 10000, prefix = false })
		echo.control(t, t.tn1, 0x1000)
		routers:advertise(t.tr1, { router_lifetime = 0, reachable_time = 40000, prefix = false })
		expect_probes(t, routers, 140, 1)
	end,
}
