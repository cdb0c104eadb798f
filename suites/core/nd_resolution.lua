-- Sections 2.1.2, 2.1.5 and 2.1.6 of the Core Protocols list: how a node finds the link-layer address of a
-- neighbour (RFC 4861 7.2.2), and how it finds out that the neighbour is still there (RFC 4861 7.3).
local cache = use "neighbor_cache"
local echo = use "echo"
local router = use "router"
local setup = use "setup"

-- --- 2.1.2: packets that wait for a neighbour's link-layer address

-- How soon other packets that wait would make a careless node solicit their neighbour again, seconds.
local AGAIN = 0.2

-- `count` Echo Requests from a neighbour that keeps silent, the first of them number `first`.
local function send_requests(t, node, first, count)
	for number = first, first + count - 1 do
		node:send(ip6{ src = node.link_local, dst = t.nut.link_local } / echo.request(number))
	end
end

-- The neighbour is solicited, and nothing else is sent to it.
local function expect_waiting(t, node, first, count)
	local solicitation = ip6{ dst = solicited_node(node.link_local) } / ns{ target = node.link_local }
	t:expect(solicitation, { from = t.nut, within = 1, clause = cache.RESOLVE, why = node.name .. " must be solicited" })
	t:expect_none(solicitation, { during = AGAIN, clause = cache.RESOLVE,
		why = "a neighbour must be solicited once every RetransTimer, however many packets wait for it" })
	for number = first, first + count - 1 do
		t:expect_none(echo.any_reply(number),
			{ during = 0, clause = cache.RESOLVE, why = "a reply must wait until " .. node.name .. " is resolved" })
	end
end

local function answer(t, node)
	node:send(ip6{ src = node.link_local, dst = t.nut.link_local } / na{
		router = 0, solicited = 1, override = 1, target = node.link_local, nd_tlla{ mac = node.mac } })
end

-- The replies that waited. The queue must hold one packet and may hold more, but where a new one found it
-- full it should have taken the place of the oldest: those that come must be the last ones.
local function expect_newest(t, node, first, count)
	local kept, lost = 0, nil
	for number = first + count - 1, first, -1 do
		local reply = t:expect(echo.reply(number, 8, { src = t.nut.link_local, dst = node.link_local }),
			{ to = node, within = 0, clause = cache.RESOLVE, level = "MAY",
				why = string.format("reply %d may have been kept", number) })
		t:check(not (reply and lost), string.format(
			"%s gets reply %d and not the later reply %s: a new packet should replace the oldest",
			node.name, number, lost or ""), { clause = cache.REPEAT })
		kept = kept + (reply and 1 or 0)
		lost = lost or (not reply and number)
	end
	t:note(string.format("%d of %d packets for %s were kept", kept, count, node.name))
	t:check(kept > 0, "at least one packet must wait for the link-layer address of " .. node.name,
		{ clause = cache.RESOLVE })
end

local QUEUE = { cache.RESOLVE, cache.REPEAT }

-- How long replies may take once the neighbour is resolved.
local FLUSH = 1

test {
	id = "v6LC.2.1.2.A",
	title = "Resolution Wait Queue - Part A: Single Queue",
	role = "host",
	requires = QUEUE,
	run = function(t)
		t.tn1:stop_answering()
		send_requests(t, t.tn1, 1, 3)
		expect_waiting(t, t.tn1, 1, 3)
		answer(t, t.tn1)
		t:wait(FLUSH)
		expect_newest(t, t.tn1, 1, 3)
	end,
}

test {
	id = "v6LC.2.1.2.B",
	title = "Resolution Wait Queue - Part B: Multiple Queues",
	role = "host",
	requires = QUEUE,
	run = function(t)
		-- The second neighbour may be anybody on the link: here it is TR2.
		t.tn1:stop_answering()
		t.tr2:stop_answering()
		send_requests(t, t.tn1, 1, 3)
		send_requests(t, t.tr2, 11, 4)
		expect_waiting(t, t.tn1, 1, 3)
		expect_waiting(t, t.tr2, 11, 4)
		answer(t, t.tn1)
		answer(t, t.tr2)
		t:wait(FLUSH)
		expect_newest(t, t.tn1, 1, 3)
		expect_newest(t, t.tr2, 11, 4)
	end,
}

-- --- 2.1.5 and 2.1.6: solicitations and their times

-- TR1 is a default router, and the NUT has an address of prefix X and knows TR1.
local function set_up(t)
	local routers = router.list(t)
	routers:advertise(t.tr1)
	routers:wait_for_address(t.tr1)
	return routers
end

-- The NUT's address of a row: "link_local", or "global" for that of prefix X.
local function nut_address(routers, scope)
	return scope == "global" and routers:address() or routers.t.nut.link_local
end

-- Hosts should take over the RetransTimer that a router advertises, and keep it when one advertises none.
local RETRANS_TIMER = "RFC 4861 6.3.4 SHOULD"
local UNSPECIFIED = "RFC 4861 6.3.4 MUST NOT"

-- Solicitations for a silent `node` that asks for a reply: MAX_MULTICAST_SOLICIT of them, RetransTimer (`seconds`)
-- apart. `rate` is the clause that an early one breaks. False if they are not so and did not have to be.
local function expect_solicitations(routers, node, scope, seconds, rate)
	local entry = cache.entry(routers.t, node,
		{ address = node[scope], nut = nut_address(routers, scope), retrans_timer = seconds, rate = rate })
	entry:reach("INCOMPLETE")
	return entry:verify()
end

for _, row in ipairs{
	{ part = "A", title = "Target Address Being Link-local", scope = "link_local" },
	{ part = "B", title = "Target Address Being Global", scope = "global" },
} do
	test {
		id = "v6LC.2.1.5." .. row.part,
		title = string.format("Neighbor Solicitation Origination, Address Resolution - Part %s: "
			.. "Neighbor Solicitation Origination, %s", row.part, row.title),
		role = "host",
		requires = cache.requires{ RETRANS_TIMER, UNSPECIFIED, setup.ADDRESS },
		timeout = 400,
		run = function(t)
			local routers = set_up(t)
			expect_solicitations(routers, t.tn1, row.scope, 1)

			-- The same with another RetransTimer. The NUT may go on to look for TN1 (RFC 7048), so it is TR3
			-- that asks, a neighbour like any other.
			routers:advertise(t.tr1, { retrans_timer = 5000 })
			if expect_solicitations(routers, t.tr3, row.scope, 5, RETRANS_TIMER) then
				-- Zero tells nothing, in particular not that the default holds again.
				routers:advertise(t.tr1, { retrans_timer = 0 })
				expect_solicitations(routers, t.tr2, row.scope, 5, UNSPECIFIED)
			end
		end,
	}
end

-- TN1's address and the NUT's.
for _, row in ipairs{
	{ part = "A", title = "Link-local => Link-local", from = "link_local", to = "link_local" },
	{ part = "B", title = "Global => Global", from = "global", to = "global" },
	{ part = "C", title = "Link-local => Global", from = "link_local", to = "global" },
	{ part = "D", title = "Global => Link-local", from = "global", to = "link_local" },
} do
	test {
		id = "v6LC.2.1.6." .. row.part,
		title = string.format("Neighbor Solicitation Origination, Reachability Confirmation - Part %s: "
			.. "Neighbor Solicitation Origination, %s", row.part, row.title),
		role = "host",
		requires = cache.requires{ setup.ADDRESS },
		timeout = 120,
		run = function(t)
			local routers = set_up(t)
			local entry = cache.entry(t, t.tn1, { address = t.tn1[row.from], nut = nut_address(routers, row.to) })

			-- TN1 answers, and then nothing confirms for longer than ReachableTime that it is there. Nothing is
			-- sent to it either, so it is not solicited.
			entry:reach("STALE")
			-- A packet for it goes out at once. DELAY_FIRST_PROBE_TIME later it is solicited by unicast ...
			entry:verify()
			-- ... MAX_UNICAST_SOLICIT times, RetransTimer apart.
			entry:verify()
		end,
	}
end
