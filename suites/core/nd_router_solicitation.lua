-- Section 2.2 of the Core Protocols list: the Router Solicitations of a host, RFC 4861 section 6.3.7 and RFC 7559.
local cache = use "neighbor_cache"
local echo = use "echo"
local router = use "router"
local setup = use "setup"
local timing = use "timing"

local ALL_ROUTERS = "ff02::2"
local LINK_LOCAL = prefix("fe80::/64")

-- 4861 gives no word to most of what a solicitation is; hosts must be able to send them.
local SEND = "RFC 8504 5.4 MUST"
local DESIST = "RFC 4861 6.3.7 MUST"
local OPTION = "RFC 4861 6.3.7 SHOULD"
local FORMAT = "RFC 4861 4.1 MUST"
local NO_OPTION = "RFC 4861 4.1 MUST NOT"
local NO_FRAGMENT = "RFC 6980 5 MUST NOT"
local BACK_OFF = "RFC 7559 2 MUST"
local VARIABLES = "RFC 7559 2 SHOULD"

local SOLICITATION_CLAUSES = { SEND, FORMAT, NO_OPTION, OPTION, NO_FRAGMENT, setup.ADDRESS }

local function with(clauses, more)
	local all = {}
	for _, list in ipairs{ clauses, more } do
		table.move(list, 1, #list, #all + 1, all)
	end
	return all
end

-- How long the first solicitation may take after the interface came up: duplicate address detection of the
-- link-local address with its random delay of a second, another such delay, and the host's own start.
local FIRST = 10

-- The host's interface is disabled and comes up again, which is one of the events after which it solicits routers
-- (RFC 4861 section 6.3.7; a start of the system is another). Returns when the link-local address was tried.
local function enable_interface(t)
	t:command{ "ip", "link", "set", "dev", "eth0", "down" }
	t:command{ "ip", "link", "set", "dev", "eth0", "up" }
	local _, tried = t:expect(ip6{ src = "::" } / ns{ target = LINK_LOCAL },
		{ from = t.nut, within = FIRST, clause = setup.ADDRESS, why = "the link-local address is tried first" })
	return tried
end

-- The next Router Solicitation must come within so many seconds. Returns it and when it came.
local function expect_solicitation(t, seconds, clause, why, level)
	return t:expect(rs{}, { from = t.nut, within = seconds, clause = clause, why = why, level = level })
end

-- What must be right in every solicitation. `tried`: when duplicate address detection began.
local function check_solicitation(t, packet, at, tried)
	local header, message = packet.ip6, packet.rs
	t:check(header.dst == ALL_ROUTERS and packet.ether.dst == multicast_mac(ALL_ROUTERS),
		string.format("a Router Solicitation goes to all routers (%s), this one to %s, %s", ALL_ROUTERS, header.dst,
			packet.ether.dst),
		{ clause = SEND })
	t:check(header.hop_limit == 255 and message.code == 0,
		string.format("a Router Solicitation has Hop Limit 255 and code 0, this one %d and %d", header.hop_limit,
			message.code),
		{ clause = SEND })
	t:check(message.reserved == 0,
		string.format("the Reserved field of a Router Solicitation is zero, this one is 0x%08x", message.reserved),
		{ clause = FORMAT })
	t:check(not packet:has("fragment"), "a Router Solicitation must not have a Fragment header", { clause = NO_FRAGMENT })

	local option, source = message.nd_slla, header.src
	if source == "::" then
		t:check(not option, "a Router Solicitation from :: must not have a Source Link-Layer Address",
			{ clause = NO_OPTION })
		return
	end
	t:check(in_prefix(source, "fe80::/64"), string.format("%s is no address of the interface that is enabled", source),
		{ clause = SEND })
	t:check(at - tried >= timing.earliest(timing.RETRANS),
		string.format("the Router Solicitation comes from %s, %.3f s after duplicate address detection began, which "
			.. "takes %g s", source, at - tried, timing.RETRANS),
		{ clause = setup.ADDRESS })
	t:check(option, string.format("a Router Solicitation from %s should have the Source Link-Layer Address", source),
		{ clause = OPTION })
	t:check(not option or option.mac == t.nut.mac, string.format("the Source Link-Layer Address is %s, the NUT has %s",
		option and option.mac, t.nut.mac), { clause = SEND })
end

-- --- v6LC.2.2.1: nobody answers ------------------------------------------------------------------------------

-- How many are waited for: the fifth comes 75 s after the first at most.
local COUNT = 5

test {
	id = "v6LC.2.2.1",
	title = "Router Solicitations (Hosts Only) - Router Solicitations",
	role = "host",
	requires = with(SOLICITATION_CLAUSES, { BACK_OFF, VARIABLES }),
	-- A host whose variables are others may take MRT, an hour, for one solicitation.
	timeout = 5000,
	run = function(t)
		local tried = enable_interface(t)
		local packet, before = expect_solicitation(t, FIRST, SEND, "a host without a router solicits one")
		check_solicitation(t, packet, before, tried)

		local previous = 0
		for count = 1, COUNT - 1 do
			local short, long = timing.solicitation_distance(count)
			local at
			packet, at = expect_solicitation(t, timing.latest(long), VARIABLES, string.format("solicitation %d comes "
				.. "%.1f to %.1f s after the one before, by IRT (4 s) and the back-off", count + 1, short, long))
			if not at then
				packet, at = expect_solicitation(t, timing.latest(1.1 * timing.RTR_SOLICITATION_MAX), BACK_OFF,
					"solicitations must go on until there is a router")
			end
			check_solicitation(t, packet, at, tried)

			local distance = at - before
			t:check(distance >= timing.earliest(short), string.format("solicitation %d comes %.3f s after the one "
				.. "before, it should be %.1f s or more", count + 1, distance, short), { clause = VARIABLES })
			t:check(distance > previous, string.format("solicitation %d comes %.3f s after the one before, which came "
				.. "after %.3f s: the distances must grow", count + 1, distance, previous), { clause = BACK_OFF })
			before, previous = at, distance
		end
	end,
}

-- --- v6LC.2.2.2: what ends it ----------------------------------------------------------------------------------

local SOLICITED_TITLE = "Router Solicitations, Solicited Router Advertisement (Hosts Only) - Part "

-- From the first solicitation to the end of what would be the third one's time.
local function watch_until(first)
	local _, second = timing.solicitation_distance(1)
	local _, third = timing.solicitation_distance(2)
	return first + timing.latest(second) + timing.latest(third)
end

-- RFC 7559 section 2.1 has the host go on when the router that advertises itself is no default router. The list
-- does not ask for that, so it is only noted.
local function note_router_without_lifetime(t)
	enable_interface(t)
	expect_solicitation(t, FIRST, SEND, "the interface came up again")
	t.tr1:send(ip6{ src = t.tr1.link_local, dst = "ff02::1" } / router.advertisement{ router_lifetime = 0 })
	local _, long = timing.solicitation_distance(1)
	local goes_on = expect_solicitation(t, timing.latest(long), SEND, "RFC 7559 2.1: the host must go on", "MAY")
	t:note(goes_on and "the NUT goes on to solicit after an advertisement with Router Lifetime 0, as RFC 7559 2.1 has it"
		or "an advertisement with Router Lifetime 0 ends the NUT's solicitations; RFC 7559 2.1 has it go on")
end

for _, row in ipairs{
	{ part = "A", title = "A: Valid Router Advertisement, No Source Link-layer Address Option" },
	{ part = "B", title = "B: Valid Router Advertisement, Source Link-layer Address Option", has_address = true },
	{ part = "G", title = "G: Valid Router Advertisement, Unicast Destination", has_address = true, unicast = true },
} do
	test {
		id = "v6LC.2.2.2." .. row.part,
		title = SOLICITED_TITLE .. row.title,
		role = "host",
		requires = with(SOLICITATION_CLAUSES, { DESIST, echo.REPLY }),
		timeout = 60,
		run = function(t)
			local routers = router.list(t)
			local tried = enable_interface(t)
			local packet, first = expect_solicitation(t, FIRST, SEND, "a host without a router solicits one")
			check_solicitation(t, packet, first, tried)

			-- RFC 4861 section 6.1.2 does not ask what the destination is; routers may answer by unicast (6.2.6).
			routers:advertise(t.tr1, row.has_address and { nd_slla{ mac = t.tr1.mac } } or {},
				row.unicast and t.nut.link_local)
			t:expect_none(rs{}, { during = watch_until(first) - t:now(), clause = DESIST,
				why = "TR1 advertised itself with a Router Lifetime, so the NUT must solicit no more" })
			-- It is silent because it has a router.
			routers:wait_for_address()
			routers:expect_first_hop(t.tr1)

			if row.part == "A" then
				note_router_without_lifetime(t)
			end
		end,
	}
end

for _, row in ipairs{
	{ part = "C", title = "C: Invalid Router Advertisement, Global Source Address", fault = "source" },
	{ part = "D", title = "D: Invalid Router Advertisement, Bad Hop Limit", fault = "hop_limit" },
	{ part = "E", title = "E: Invalid Router Advertisement, Bad ICMP Checksum", fault = "checksum" },
	{ part = "F", title = "F: Invalid Router Advertisement, Bad ICMP Code", fault = "code" },
} do
	test {
		id = "v6LC.2.2.2." .. row.part,
		title = SOLICITED_TITLE .. row.title,
		role = "host",
		requires = with(SOLICITATION_CLAUSES, { router.INVALID }),
		timeout = 60,
		run = function(t)
			local tried = enable_interface(t)
			local packet, first = expect_solicitation(t, FIRST, SEND, "a host without a router solicits one")
			check_solicitation(t, packet, first, tried)

			local invalid = router.INVALID_ADVERTISEMENTS[row.fault]
			t.tr1:send(invalid.make(t.tr1, {}))
			for count = 2, timing.RTR_SOLICITATIONS do
				local _, long = timing.solicitation_distance(count - 1)
				local at
				packet, at = expect_solicitation(t, timing.latest(long), router.INVALID, string.format(
					"an advertisement with %s must be discarded, so solicitation %d comes", invalid.what, count))
				check_solicitation(t, packet, at, tried)
			end
			t:expect_none(ns{ target = prefix(setup.PREFIX_X) }, { during = 0, clause = router.INVALID,
				why = string.format("no address must be made of the prefix in an advertisement with %s", invalid.what) })
		end,
	}
end

-- --- v6LC.2.2.3: a host hears one --------------------------------------------------------------------------------

for _, row in ipairs{
	{ part = "A", title = "A: All-Router Multicast Destination", to = ALL_ROUTERS },
	{ part = "B", title = "B: All-Nodes Multicast Destination", to = "ff02::1" },
	{ part = "C", title = "C: Link-local Unicast Destination" },
} do
	local IGNORE = "RFC 4861 6.1.1 MUST"

	test {
		id = "v6LC.2.2.3." .. row.part,
		title = "Host Ignores Router Solicitations (Hosts Only) - Part " .. row.title,
		role = "host",
		requires = cache.requires{ IGNORE },
		timeout = 60,
		run = function(t)
			local tn1 = cache.entry(t, t.tn1)
			t.tn1:send(ip6{ src = t.tn1.link_local, dst = row.to or t.nut.link_local } / rs{ nd_slla{ mac = t.tn1.mac } })
			t:expect_none(ra{},
				{ during = echo.SILENCE, clause = IGNORE, why = "a host must not answer a Router Solicitation" })
			tn1:ignores(IGNORE, "a host must discard Router Solicitations, also what they say of their sender")
			tn1:verify()
		end,
	}
end
