-- Sections 2.1.1, 2.1.3 and 2.1.4 of the Core Protocols list: what a host takes to be on its link, RFC 4861
-- sections 5.2 and 6.3.4, and RFC 5942. An address is on link if a prefix of the Prefix List covers it; the
-- link-local prefix always does. Everything else goes to a default router.
local echo = use "echo"
local router = use "router"
local setup = use "setup"
local timing = use "timing"

-- An option whose on-link flag is zero says nothing about the link.
local FLAG_ZERO = "RFC 4861 6.3.4 MUST NOT"
-- An address that a host forms does not put its prefix onto the link.
local NOT_BY_ADDRESS = "RFC 5942 4 MUST NOT"

-- A prefix that nobody puts onto the link.
local OTHER_PREFIX = "2001:db8:0:e::"

-- `node` asks for an Echo Reply to its address `from`, which is on link and which the NUT does not know yet. The
-- NUT must solicit that address, and the reply must go straight to the node.
local function expect_on_link(routers, node, from, to, clause, why)
	local t = routers.t
	assert(routers:is_on_link(from), "by the model the address is not on link")
	node:send(ip6{ src = from, dst = to } / echo.request(1))
	t:expect(echo.reply(1, 8, { src = to, dst = from }), { to = node, within = echo.WINDOW, clause = clause,
		why = string.format("%s: the reply must go straight to %s", why, node.name) })
	t:expect(ip6{ dst = solicited_node(from), hop_limit = 255 } / ns{ code = 0, reserved = 0, target = from },
		{ from = t.nut, within = 0, clause = clause, why = string.format("%s: %s must be solicited", why, from) })
end

-- TR1 is a default router and put prefix X onto the link. The NUT has an address of it and knows TR1.
local function set_up(t)
	local routers = router.list(t)
	routers:advertise(t.tr1)
	routers:wait_for_address(t.tr1)
	return routers
end

local DETERMINATION = { router.DISCOVERY, setup.ADDRESS, echo.REPLY }

test {
	id = "v6LC.2.1.1.A",
	title = "On-link Determination - Part A: Link-Local Address",
	role = "host",
	requires = DETERMINATION,
	run = function(t)
		expect_on_link(set_up(t), t.tn1, t.tn1.link_local, t.nut.link_local, router.DISCOVERY,
			"the link-local prefix is always on link")
	end,
}

test {
	id = "v6LC.2.1.1.B",
	title = "On-link Determination - Part B: Global Address, On-link Prefix covers TN1",
	role = "host",
	requires = DETERMINATION,
	run = function(t)
		local routers = set_up(t)
		expect_on_link(routers, t.tn1, t.tn1.global, routers:address(), router.DISCOVERY,
			"prefix X is on link and covers TN1")
	end,
}

test {
	id = "v6LC.2.1.1.C",
	title = "On-link Determination - Part C: Global Address, On-link Prefix does not cover TN2",
	role = "host",
	requires = DETERMINATION,
	run = function(t)
		set_up(t):expect_off_link(t.tn2.global, t.tn2, { clause = router.DISCOVERY,
			why = "no prefix that is on link covers TN2, so the reply must go to TR1" })
	end,
}

test {
	id = "v6LC.2.1.3",
	title = "Prefix Information Option Processing, On-link Flag (Hosts Only) - "
		.. "Prefix Information Option Processing, On-link Flag",
	role = "host",
	requires = { FLAG_ZERO, NOT_BY_ADDRESS, router.DISCOVERY, setup.ADDRESS, echo.REPLY },
	run = function(t)
		local routers = set_up(t)
		expect_on_link(routers, t.tn1, t.tn1.global, routers:address(), router.DISCOVERY,
			"prefix X was advertised with the on-link flag")

		-- The flag is zero now. The NUT may have stored the way to TN1, so TR2 asks.
		routers:advertise(t.tr1, { prefix = router.prefix_x{ on_link = 0 } })
		expect_on_link(routers, t.tr2, t.tr2.global, routers:address(), FLAG_ZERO,
			"the on-link flag of prefix X is zero now, which does not take it off the link")

		-- The other prefix never has the flag. That the NUT forms an address of it does not put it onto the link.
		routers:advertise(t.tr1, { prefix = router.prefix_x{ prefix = OTHER_PREFIX, on_link = 0 } })
		setup.wait_for_address(t, OTHER_PREFIX .. "/64", timing.RETRANS, t.tr1)
		routers:expect_off_link(OTHER_PREFIX .. "b1", t.tn1, { clause = NOT_BY_ADDRESS,
			why = "no advertisement of the prefix had the on-link flag, so the reply must go to TR1" })
	end,
}

-- 2.1.4: the Valid Lifetime of prefix X, and when it is used, in seconds.
local LIFETIME, PAUSE = 10, 8

-- TR1 advertises itself, and prefix X if it is not false. The Reachable Time of ten minutes keeps TR1 REACHABLE, so
-- that it would get what is off link.
local function advertise(routers, prefix_x)
	routers:advertise(routers.t.tr1, { reachable_time = 600000, prefix = prefix_x })
end

local function advertise_prefix(routers)
	advertise(routers, router.prefix_x{ valid_lifetime = LIFETIME, preferred_lifetime = LIFETIME })
end

-- Before prefix X is advertised, TR1 is a default router that has answered.
local function set_up_router(t)
	local routers = router.list(t)
	advertise(routers, false)
	routers:confirm(t.tr1)
	return routers
end

test {
	id = "v6LC.2.1.4.A",
	title = "Host Prefix List (Hosts Only) - Part A: Prefix Lifetime has not Expired",
	role = "host",
	requires = { router.DISCOVERY, router.OFF_LINK, echo.REPLY },
	run = function(t)
		local routers = set_up_router(t)
		advertise_prefix(routers)
		t:wait(PAUSE)
		expect_on_link(routers, t.tn1, t.tn1.global, t.nut.link_local, router.DISCOVERY,
			string.format("%d s of the Valid Lifetime of prefix X (%d s) are over", PAUSE, LIFETIME))

		-- When all of it is over, prefix X is off link. The NUT may still go the way to TN1 that it stored (RFC
		-- 4861 6.3.5), so TR2 asks.
		routers:wait_until_expired(setup.PREFIX_X)
		routers:expect_off_link(t.tr2.global, t.tr2, { to = t.nut.link_local,
			why = string.format("the Valid Lifetime of prefix X (%d s) is over, the reply must go to TR1", LIFETIME) })
	end,
}

test {
	id = "v6LC.2.1.4.B",
	title = "Host Prefix List (Hosts Only) - Part B: Prefix Lifetime updated by Router Advertisement",
	role = "host",
	requires = { router.DISCOVERY, router.OFF_LINK, echo.REPLY },
	run = function(t)
		local routers = set_up_router(t)
		advertise_prefix(routers)
		t:wait(PAUSE)
		advertise_prefix(routers)
		t:wait(PAUSE)
		expect_on_link(routers, t.tn1, t.tn1.global, t.nut.link_local, router.DISCOVERY,
			string.format("the Valid Lifetime of prefix X was set to %d s again %d s ago", LIFETIME, PAUSE))

		-- Zero takes the prefix off the list at once (RFC 4861 6.3.4). As in part A it is TR2 that asks then.
		advertise(routers, router.prefix_x{ valid_lifetime = 0, preferred_lifetime = 0 })
		routers:expect_off_link(t.tr2.global, t.tr2, { to = t.nut.link_local,
			why = "prefix X was advertised with Valid Lifetime 0, the reply must go to TR1" })
	end,
}
