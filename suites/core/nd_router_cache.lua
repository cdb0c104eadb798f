-- Section 2 of the Core Protocols list: what a Router Advertisement does to the Neighbor Cache entry of the router
-- that sent it, and where packets go then. RFC 4861 sections 6.3.4 and 7.3.3, appendix C.
local cache = use "neighbor_cache"
local echo = use "echo"
local router = use "router"
local setup = use "setup"

local ADVERTISEMENT = cache.MESSAGES.router_advertisement
-- An advertisement makes its sender a router, whatever its entry said before.
local IS_ROUTER = "RFC 4861 6.3.4 MUST"

-- The Source Link-Layer Address of an advertisement: the one that the NUT knows or is about to learn, another
-- one, or none.
local SAME, OTHER, NONE = "same", "other", "none"

local function mac_of(t, which)
	if which == SAME then
		return t.tr1.mac
	end
	return which == OTHER and cache.other_mac(t.tr1)
end

-- TR1 advertises itself with that link-layer address. `fields` are others than those of router.advertisement. An
-- advertisement without one comes in a frame from another address: what the frame tells is no option.
local function advertise(t, entry, which, fields)
	local mac = mac_of(t, which)
	if mac then
		table.insert(fields, nd_slla{ mac = mac })
	end
	local sent = t.tr1:send(ether{ src = mac or cache.other_mac(t.tr1) }
		/ ip6{ src = t.tr1.link_local, dst = "ff02::1" } / router.advertisement(fields))
	entry:told{ by = "router_advertisement", mac = mac }
	return sent
end

-- ------------------------------------------------------------------------- v6LC.2.2.16: the entry

-- Part, what of the title is its own, the state before, and the link-layer address in the advertisement. The
-- clauses are those that the model judges by.
local ENTRIES = {
	{ "A", "RA processing, no NCE", "NONE", SAME, { ADVERTISEMENT.record, ADVERTISEMENT.create } },
	{ "B", "RA processing, NCE INCOMPLETE", "INCOMPLETE", SAME, { ADVERTISEMENT.record, ADVERTISEMENT.create } },
	{ "C", "RA with SLLA changed, NCE REACHABLE", "REACHABLE", OTHER, { ADVERTISEMENT.record, ADVERTISEMENT.change } },
	{ "D", "RA with SLLA unchanged, NCE REACHABLE", "REACHABLE", SAME },
	{ "E", "RA without SLLA, NCE REACHABLE", "REACHABLE", NONE, { cache.NO_ADDRESS } },
	{ "F", "RA with SLLA changed, NCE PROBE", "PROBE", OTHER, { ADVERTISEMENT.record, ADVERTISEMENT.change } },
	{ "G", "RA with SLLA unchanged, NCE PROBE", "PROBE", SAME, { cache.UNCONFIRMED } },
	{ "H", "RA without SLLA, NCE PROBE", "PROBE", NONE, { cache.NO_ADDRESS } },
	{ "I", "RA with SLLA changed, NCE STALE", "STALE", OTHER, { ADVERTISEMENT.record, ADVERTISEMENT.change } },
	{ "J", "RA with SLLA unchanged, NCE STALE", "STALE", SAME, { cache.UNCONFIRMED } },
	{ "K", "RA without SLLA, NCE STALE", "STALE", NONE, { cache.NO_ADDRESS } },
}

for _, row in ipairs(ENTRIES) do
	local part, about, before, which, clauses = table.unpack(row)
	test {
		id = "v6LC.2.2.16." .. part,
		title = string.format("Router Advertisement Processing, Neighbor Cache (Hosts Only) - Part %s: %s", part, about),
		role = "host",
		requires = cache.requires(clauses),
		timeout = 150,
		run = function(t)
			local entry = cache.entry(t, t.tr1)
			if before ~= "NONE" then
				entry:reach(before)
			end
			-- Router Lifetime 0: TR1 is no default router, but the entry is about its address all the same.
			advertise(t, entry, which, { router_lifetime = 0, prefix = false })
			entry:verify()
		end,
	}
end

-- -------------------------------------------------------------------- v6LC.2.2.17: the IsRouter flag

-- The NUT knows TR1 as a host: it asked, and the answer had the Router flag clear. Then TR1 advertises itself. It
-- must be a router from then on, which shows when it says again that it is a host: it is taken off the list.
local function become_router(t, which)
	local entry = cache.entry(t, t.tr1)
	entry:reach("INCOMPLETE")
	entry:advertise{ solicited = true, override = true, router = false }
	local routers = router.list(t)
	routers:hear(t.tr1, advertise(t, entry, which, {}))
	entry:look_through(t.tn2, routers:wait_for_address())
	if not entry:verify() then
		return
	end

	-- An entry that is probed gets its answer, or it would end.
	entry:advertise{ solicited = entry.state == "PROBE", override = true, router = false, mac = entry.mac }
	routers:remove(t.tr1)
	routers:expect_no_first_hop{ clause = IS_ROUTER, why = "TR1, which was known as a host, must have become a router "
		.. "by its advertisement, so that it is one no more when it says that it is a host again" }
end

local FLAGS = {
	{ "A", "RA without Source Link-layer option", NONE, cache.NO_ADDRESS },
	{ "B", "RA with same Source Link-layer option as cached", SAME },
	{ "C", "RA with different Source Link-layer option as cached", OTHER, ADVERTISEMENT.record },
}

for _, row in ipairs(FLAGS) do
	local part, about, which, clause = table.unpack(row)
	test {
		id = "v6LC.2.2.17." .. part,
		title = string.format("Router Advertisement Processing, IsRouter flag (Hosts Only) - Part %s: %s", part, about),
		role = "host",
		requires = cache.requires{ IS_ROUTER, router.NO_ROUTER, setup.ADDRESS, clause },
		run = function(t)
			become_router(t, which)
		end,
	}
end

-- --------------------------------------------------------------- v6LC.2.2.18 and 19: the next hop

test {
	id = "v6LC.2.2.18",
	title = "Next-hop Determination (Hosts Only)",
	role = "host",
	requires = cache.requires{ ADVERTISEMENT.record, ADVERTISEMENT.create, setup.ADDRESS },
	run = function(t)
		local entry, routers = cache.entry(t, t.tr1), router.list(t)
		routers:hear(t.tr1, advertise(t, entry, SAME, {}))
		-- TN2 is off link: the reply goes to TR1, whose link-layer address the advertisement told.
		entry:look_through(t.tn2, routers:wait_for_address())
		entry:verify()
		t:expect_none(ns{ target = t.tn2.global },
			{ during = 0, clause = router.DISCOVERY, why = "an off-link destination must not be looked for on the link" })
	end,
}

-- Prefix Y of 96 bits, and TN1's addresses in it. Its 64 bits are what an address of the NUT would begin with.
local PREFIX_Y, LENGTH_Y = "2001:db8:0:19::", 96
local ON_LINK_Y, OFF_LINK_Y = PREFIX_Y .. "b1", PREFIX_Y .. "b2"
-- In the same 64 bits, and not in prefix Y.
local OUTSIDE_Y = "2001:db8:0:19:1::b1"
local LIFETIME_Y = 20

-- Addresses are formed of prefixes that fit the interface identifier, 64 bits on Ethernet, and of no others.
local NO_ADDRESS_Y = "RFC 4862 5.5.3 MUST"
-- An address that would be formed is tried within a second (RFC 4862 5.4.2).
local FIRST_TRY = 4

test {
	id = "v6LC.2.2.19",
	title = "Router Advertisement Processing, On-link determination (Hosts Only)",
	role = "host",
	requires = { router.DISCOVERY, router.OFF_LINK, NO_ADDRESS_Y, setup.ADDRESS, echo.REPLY },
	timeout = 60,
	run = function(t)
		local routers = router.set_up(t, { t.tr1 })
		routers:advertise(t.tr1, { nd_slla{ mac = t.tr1.mac },
			prefix = nd_prefix{ prefix = PREFIX_Y, prefix_length = LENGTH_Y, valid_lifetime = LIFETIME_Y } })
		-- The prefix is too long for an address to be formed of it ...
		t:expect_none(ns{ target = prefix(PREFIX_Y .. "/64") }, { during = FIRST_TRY, clause = NO_ADDRESS_Y,
			why = "no address can be formed of a prefix of 96 bits" })
		-- ... and on link like any other. Another address when it is not any more: the Destination Cache may
		-- still have the first one.
		routers:expect_on_link(ON_LINK_Y, t.tn1)
		routers:expect_off_link(OUTSIDE_Y, t.tn1, { clause = router.DISCOVERY,
			why = "the prefix that is on link has 96 bits, which the address does not have, so the reply must go to TR1" })
		routers:wait_until_expired(PREFIX_Y .. "/" .. LENGTH_Y)
		routers:expect_off_link(OFF_LINK_Y, t.tn1)
	end,
}
