-- Section 2 of the Core Protocols list: preferences of default routers, and routes that routers advertise, RFC 4191.
--
-- Both routers are reachable and advertise the same prefix, so neither reachability (RFC 4861 6.3.6) nor the source
-- address (RFC 8028) decides. TN2 is off link; which router the replies to it go to is what the NUT has chosen.
local echo = use "echo"
local router = use "router"
local setup = use "setup"
local timing = use "timing"

local HIGH, MEDIUM, LOW, RESERVED = router.HIGH, router.MEDIUM, router.LOW, router.RESERVED

-- Nodes must implement RFC 4191. Its rules for choosing a router (section 3.2) have no key words of their own.
local IMPLEMENTED = "RFC 8504 5.9 MUST"
-- A host that takes the routes of routers, too, is one of type C.
local TYPE_C = "RFC 8504 5.9 SHOULD"
-- The reserved preference is Medium for a router, and makes a route void.
local RESERVED_ROUTER = "RFC 4191 2.2 MUST"
local RESERVED_ROUTE = "RFC 4191 2.3 MUST"
-- So is what is in reserved bits, and in the prefix behind its length: it must be ignored.
local IGNORED_BITS = "RFC 4191 2.3 MUST"
-- New routes count for destinations that were used before, too.
local REDONE = "RFC 4191 3.3 MUST"

-- A kernel without the feature has not even its setting.
local function is_built_without(t, setting)
	local _, status = t:command{ "test", "-e", "/proc/sys/net/ipv6/conf/eth0/" .. setting, may_fail = true }
	return status ~= 0
end

-- Another address of Link A each time: one that the NUT has sent nothing to, so that no Destination Cache has it.
local function new_source(routers)
	routers.sources = (routers.sources or 0) + 1
	return string.format("2001:db8:0:a::b2:%x", routers.sources)
end

-- ------------------------------------------------------- v6LC.2.2.22: preferences of default routers

-- The reply must go through `best`. Hosts that know preferences and no routes (type B) may stay with the router
-- that a destination had, so it is a new destination each time.
local function expect_best(t, routers, best, clause)
	local hop = routers:expect_first_hop(best, { source = new_source(routers), clause = clause, level = "MAY" })
	if hop ~= best and is_built_without(t, "accept_ra_rtr_pref") then
		t:unsupported("the kernel was built without preferences of routers (CONFIG_IPV6_ROUTER_PREF)")
	end
	t:check(hop == best, string.format("the reply goes to %s, the router with the better preference is %s",
		hop and hop.name or "none of the routers", best.name), { clause = clause })
end

-- Preferences of TR1 and TR2, and the router that must be used; then again with those that follow. The list
-- ends with the first pair of A and B; here the roles are exchanged as well.
local PREFERENCES = {
	{ "A", "High Route Preference", { MEDIUM, HIGH, "tr2" }, { HIGH, MEDIUM, "tr1" } },
	{ "B", "Low Route Preference", { MEDIUM, LOW, "tr1" }, { LOW, MEDIUM, "tr2" } },
	{ "C", "Reserved Route Preference", { RESERVED, LOW, "tr1" }, { RESERVED, HIGH, "tr2" }, clause = RESERVED_ROUTER },
	{ "D", "Change lower Route Preference", { HIGH, MEDIUM, "tr1" }, { LOW, MEDIUM, "tr2" } },
	{ "E", "Change higher Route Preference", { LOW, MEDIUM, "tr2" }, { HIGH, MEDIUM, "tr1" } },
}

for _, row in ipairs(PREFERENCES) do
	local part, about, before, after = table.unpack(row)
	local clause = row.clause or IMPLEMENTED
	test {
		id = "v6LC.2.2.22." .. part,
		title = string.format("Processing Router Advertisements with Router Preference (Hosts Only) - Part %s: %s",
			part, about),
		role = "host",
		requires = { clause, setup.ADDRESS, echo.REPLY },
		run = function(t)
			local routers = router.list(t)
			routers:advertise(t.tr1, { preference = before[1] })
			routers:advertise(t.tr2, { preference = before[2] })
			routers:wait_for_address()
			routers:confirm(t.tr1)
			routers:confirm(t.tr2)
			for _, now in ipairs{ before, after } do
				-- In either order: neither the first nor the last advertisement decides.
				routers:advertise(t.tr1, { preference = now[1] })
				routers:advertise(t.tr2, { preference = now[2] })
				expect_best(t, routers, t[now[3]], clause)
				routers:advertise(t.tr1, { preference = now[1] })
				expect_best(t, routers, t[now[3]], clause)
			end
		end,
	}
end

-- ------------------------------------------------------------------ v6LC.2.2.23: routes

-- A Route Information option, with the preference and seconds. `reserved` is what its two reserved fields have.
local function route(prefix_text, preference, lifetime, reserved)
	local address, length = prefix_text:match("^(.*)/(%d+)$")
	return nd_route_info{ prefix = address, prefix_length = tonumber(length), preference = preference,
		lifetime = lifetime, reserved1 = reserved or 0, reserved2 = reserved or 0 }
end

-- TN2 is 2001:db8:0:a::b2. Routes to it, and addresses that are not in them.
local LINK_A, NOT_LINK_A = "2001:db8:0:a::/64", "2001:db8:0:aa::b2"
local LONGER, NOT_LONGER = "2001:db8:0:a::/96", "2001:db8:0:a:1::b2"
local SHORTER, NOT_SHORTER = "2001:db8::/32", "3fff::b2"
local DEFAULT = "::/0"
-- The same as two of them, with bits behind the length of the prefix.
local LONGER_AND_MORE, SHORTER_AND_MORE = "2001:db8:0:a::dead:beef/96", "2001:db8:dead:beef::/32"

-- The Route Lifetime of the list, seconds, and one that does not matter.
local SHORT, LONG = 30, 600

-- A route to somewhere else, by which TR2 finds out whether the NUT takes routes at all.
local ELSEWHERE, AN_ADDRESS_ELSEWHERE = "3fff:0:0:1::/64", "3fff:0:0:1::b2"

local function advertise(routers, node, lifetime, option, preference)
	routers:advertise(node, { router_lifetime = lifetime, preference = preference or MEDIUM,
		nd_slla{ mac = node.mac }, option })
end

-- Whether the NUT is a host of type C. RFC 4191 allows that it is not.
local function is_type_c(t, routers, lifetime)
	advertise(routers, t.tr2, lifetime, route(ELSEWHERE, HIGH, router.INFINITY))
	local hop = routers:expect_first_hop(t.tr2, { source = AN_ADDRESS_ELSEWHERE, clause = TYPE_C, level = "MAY" })
	if hop ~= t.tr2 and is_built_without(t, "accept_ra_rt_info_max_plen") then
		t:unsupported("the kernel was built without routes of routers (CONFIG_IPV6_ROUTE_INFO)")
	end
	return t:check(hop == t.tr2, "a host should take the routes that routers advertise", { clause = TYPE_C })
end

-- TR1 advertises itself as a default router. TR2 does so for `lifetime` seconds; 0 says that it is none, and its
-- routes count all the same. Returns the model if the NUT is a host of type C.
local function begin(t, lifetime)
	local routers = router.list(t)
	advertise(routers, t.tr1, 1800)
	routers:wait_for_address()
	routers:expect_first_hop(t.tr1)
	return is_type_c(t, routers, lifetime) and routers
end

-- The reply must go through `best`: to a new destination, and to TN2, which was sent replies before.
local function expect_route(routers, best, clause)
	routers:expect_first_hop(best, { source = new_source(routers), clause = clause or IMPLEMENTED })
	routers:expect_first_hop(best, { clause = clause or REDONE })
end

-- TR2 has a better route to TN2, and to nothing else.
local function better_route(prefix_text, preference, outside)
	return function(t, routers)
		advertise(routers, t.tr2, 0, route(prefix_text, preference, SHORT))
		expect_route(routers, t.tr2)
		routers:expect_first_hop(t.tr1, { source = outside, clause = IMPLEMENTED })
	end
end

-- The same, and then once more with everything set that hosts must ignore: the reserved bits, and the bits of the
-- prefix behind its length.
local function better_and_more(prefix_text, outside, prefix_and_more)
	local better = better_route(prefix_text, HIGH, outside)
	return function(t, routers)
		better(t, routers)
		advertise(routers, t.tr2, 0, route(prefix_text, HIGH, 0))
		expect_route(routers, t.tr1)
		advertise(routers, t.tr2, 0, route(prefix_and_more, HIGH, SHORT, 7))
		expect_route(routers, t.tr2, IGNORED_BITS)
		advertise(routers, t.tr2, 0, route(prefix_and_more, HIGH, 0, 7))
		expect_route(routers, t.tr1, IGNORED_BITS)
	end
end

local function reserved(t, routers)
	advertise(routers, t.tr2, 0, route(LINK_A, RESERVED, SHORT))
	expect_route(routers, t.tr1, RESERVED_ROUTE)
	-- The same route with another preference is taken: it was void because of that.
	advertise(routers, t.tr2, 0, route(LINK_A, MEDIUM, SHORT))
	expect_route(routers, t.tr2)
end

local function changed(t, routers)
	advertise(routers, t.tr1, 1800, route(LINK_A, LOW, SHORT))
	advertise(routers, t.tr2, 0, route(LINK_A, MEDIUM, SHORT))
	expect_route(routers, t.tr2)
	advertise(routers, t.tr1, 1800, route(LINK_A, HIGH, SHORT))
	expect_route(routers, t.tr1)
end

-- A route to everywhere overrides what the header says of the router: first that it is as good as TR1, as in the
-- list, then the opposite of what the route says.
local function default_route(preference, opposite, best)
	return function(t, routers)
		advertise(routers, t.tr2, LONG, route(DEFAULT, preference, SHORT))
		expect_route(routers, t[best])
		advertise(routers, t.tr2, LONG, route(DEFAULT, preference, SHORT), opposite)
		expect_route(routers, t[best])
		-- TR1 repeats its advertisement: the last one does not decide.
		advertise(routers, t.tr1, 1800)
		expect_route(routers, t[best])
	end
end

local function expired(t, routers)
	advertise(routers, t.tr2, 0, route(LINK_A, HIGH, SHORT))
	expect_route(routers, t.tr2)
	t:wait(timing.latest(SHORT))
	expect_route(routers, t.tr1)
end

local function withdrawn(t, routers)
	advertise(routers, t.tr2, LONG, route(DEFAULT, HIGH, LONG))
	expect_route(routers, t.tr2)
	-- The header still says that TR2 is a router, and by now a better one; the option overrides it: it is none.
	advertise(routers, t.tr2, LONG, route(DEFAULT, HIGH, 0), HIGH)
	expect_route(routers, t.tr1)
end

-- Part, what of the title is its own, TR2's Router Lifetime, and the steps. Where TR2 is a router at all, it is
-- as good as TR1 but for the route.
local ROUTES = {
	{ "A", "Route Information Option High", 0, better_route(LINK_A, HIGH, NOT_LINK_A) },
	{ "B", "Route Information Option Low", 0, better_route(LINK_A, LOW, NOT_LINK_A) },
	{ "C", "Route Information Option with PRF set to Reserved", 0, reserved, RESERVED_ROUTE },
	{ "D", "Route Information Option with a Prefix Length of 96", 0,
		better_and_more(LONGER, NOT_LONGER, LONGER_AND_MORE), IGNORED_BITS },
	{ "E", "Route Information Option with a Prefix Length of 32", 0,
		better_and_more(SHORTER, NOT_SHORTER, SHORTER_AND_MORE), IGNORED_BITS },
	{ "F", "PRF change in Route Information Option", 0, changed },
	{ "G", "Route Information Option with a Prefix Length of 0 and PRF of High", LONG, default_route(HIGH, LOW, "tr2") },
	{ "H", "Route Information Option with a Prefix Length of 0 and PRF of Low", LONG, default_route(LOW, HIGH, "tr1") },
	{ "I", "Expired Lifetime", 0, expired },
	{ "J", "Route Information Option with a Prefix Length of 0 and Lifetime set to 0", LONG, withdrawn },
}

for _, row in ipairs(ROUTES) do
	local part, about, lifetime, steps, clause = table.unpack(row)
	test {
		id = "v6LC.2.2.23." .. part,
		title = "Processing Router Advertisment with Route Information Option (Hosts Only) - "
			.. string.format("Part %s: %s", part, about),
		role = "host",
		requires = { TYPE_C, IMPLEMENTED, REDONE, router.DISCOVERY, setup.ADDRESS, echo.REPLY, clause },
		timeout = 60,
		run = function(t)
			local routers = begin(t, lifetime)
			if routers then
				steps(t, routers)
			end
		end,
	}
end
