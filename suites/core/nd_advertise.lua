-- Section 2.1 of the Core Protocols list, tests 15 to 23: what a node makes of Neighbor Advertisements, and of
-- solicitations and advertisements in fragments. RFC 4861 sections 7.1.2 and 7.2.5, RFC 6980.
local cache = use "neighbor_cache"
local echo = use "echo"
local router = use "router"
local setup = use "setup"
local silence = use "silence"

local INVALID = "RFC 4861 7.1.2 MUST"
local FRAGMENTS = "RFC 6980 5 MUST"

local ALL_NODES = "ff02::1"

-- A message that must be ignored was the last that the NUT was sent: the entry is as it was, and no error
-- reports it.
local function expect_ignored(t, entry, clause, because)
	entry:ignores(clause, because)
	entry:verify()
	silence.no_error(t, 0, clause, because .. ": it must be discarded silently")
end

-- The same advertisement as it should be resolves the neighbour's address, so it was not ignored for another
-- reason. A node of RFC 7048 still solicits: then there is nothing to resolve.
local function control(entry, given)
	if entry.state == "NONE" then
		entry:reach("INCOMPLETE")
		entry:advertise(given)
	end
end

-- --- 15: invalid advertisements

-- TN1 advertises itself to all nodes. A valid advertisement of this kind would resolve its address.
local function advertisement(t, fields)
	local given = { target = t.tn1.link_local, override = 1, options = { nd_tlla{ mac = t.tn1.mac } } }
	for name, value in pairs(fields or {}) do
		given[name] = value
	end
	return na(given)
end

local function header(t, hop_limit)
	return ip6{ src = t.tn1.link_local, dst = ALL_NODES, hop_limit = hop_limit or 255 }
end

-- Whole as it should be, but its IPv6 header says that it ends after 16 octets, within the target. The
-- checksum is right for these.
local function cut_short(t)
	local octets = (header(t) / advertisement(t)):bytes():sub(41)
	return header(t) / icmp6{ type = 136, data = octets:sub(5, 16) }
		/ trailer{ data = octets:sub(17) }
end

local function wrong_checksum(t)
	local right = parse((header(t) / advertisement(t)):bytes()).na.checksum
	return header(t) / advertisement(t, { checksum = right ~ 1 })
end

-- Each is wrong in one way.
local INVALID_PARTS = {
	{
		part = "A", title = "Solicited Flag ==1", about = "with Solicited set, to a group",
		build = function(t) return header(t) / advertisement(t, { solicited = 1 }) end,
	},
	{
		part = "B", title = "Hop Limit == 254", about = "that a router has forwarded (Hop Limit 254)",
		build = function(t) return header(t, 254) / advertisement(t) end,
	},
	{
		part = "C", title = "Invalid Checksum", about = "with a wrong checksum",
		build = wrong_checksum,
	},
	{
		part = "D", title = "ICMP code != zero", about = "with code 1",
		build = function(t) return header(t) / advertisement(t, { code = 1 }) end,
	},
	{
		part = "E", title = "ICMP length < 24 octets", about = "of 16 octets",
		build = cut_short,
	},
	{
		part = "F", title = "target == multicast address", about = "whose target is a group",
		build = function(t) return header(t) / advertisement(t, { target = solicited_node(t.tn1.link_local) }) end,
	},
	{
		part = "G", title = "option length ==zero", about = "with an option of length 0",
		build = function(t)
			return header(t) / advertisement(t, { options = { nd_tlla{ mac = t.tn1.mac, length = 0 } } })
		end,
	},
}

for _, row in ipairs(INVALID_PARTS) do
	test {
		id = "v6LC.2.1.15." .. row.part,
		title = string.format("Invalid Neighbor Advertisement Handling - Part %s: NUT receives invalid NA (%s)", row.part,
			row.title),
		role = "host",
		requires = cache.requires{ INVALID },
		timeout = 120,
		run = function(t)
			local entry = cache.entry(t, t.tn1)
			entry:reach("INCOMPLETE")
			t.tn1:send(row.build(t))
			expect_ignored(t, entry, INVALID, string.format("an advertisement %s came", row.about))
			control(entry, { to = ALL_NODES, override = true })
		end,
	}
end

-- --- 16 and 17: no entry, and address resolution

-- Solicited, Override, and whether there is a Target Link-Layer Address.
local NO_ENTRY_PARTS = {
	{ part = "A", solicited = 0, override = 0, has_address = true },
	{ part = "B", solicited = 0, override = 1, has_address = true },
	{ part = "C", solicited = 1, override = 0, has_address = true },
	{ part = "D", solicited = 1, override = 1, has_address = true },
	{ part = "E", solicited = 0, override = 0, has_address = false },
	{ part = "F", solicited = 0, override = 1, has_address = false },
	{ part = "G", solicited = 1, override = 0, has_address = false },
	{ part = "H", solicited = 1, override = 1, has_address = false },
}

-- A host makes no entry of an advertisement: it would have asked if it needed one.
for _, row in ipairs(NO_ENTRY_PARTS) do
	test {
		id = "v6LC.2.1.16." .. row.part,
		title = string.format("Neighbor Advertisement Processing, No NCE - Part %s: Receiving NA with S = %d, O = %d, "
			.. "and %sTLLA", row.part, row.solicited, row.override, row.has_address and "" or "NO "),
		role = "host",
		requires = cache.requires{ cache.NOT_CREATED, row.solicited == 0 and cache.UNCONFIRMED or nil },
		run = function(t)
			local entry = cache.entry(t, t.tn1)
			entry:advertise{ solicited = row.solicited == 1, override = row.override == 1,
				mac = row.has_address and t.tn1.mac }
			entry:verify()
		end,
	}
end

-- An answer to the solicitation makes the neighbour REACHABLE, anything else STALE. Without the address that
-- was asked for it is no answer.
local INCOMPLETE_PARTS = {
	{ part = "A", title = "with S = 1 and O = 1", solicited = 1, override = 1, has_address = true },
	{ part = "B", title = "with S = 1 and O = 0", solicited = 1, override = 0, has_address = true },
	{ part = "C", title = "with S = 0 and O = 1", solicited = 0, override = 1, has_address = true },
	{ part = "D", title = "with S = 0 and O = 0", solicited = 0, override = 0, has_address = true },
	{ part = "E", title = "without Target Link-Layer Address Option", solicited = 1, override = 1, has_address = false },
}

for _, row in ipairs(INCOMPLETE_PARTS) do
	test {
		id = "v6LC.2.1.17." .. row.part,
		title = string.format("Neighbor Advertisement Processing, NCE State INCOMPLETE - Part %s: Receiving NA %s", row.part,
			row.title),
		role = "host",
		requires = cache.requires(row.has_address and {} or { cache.DISCARD }),
		timeout = 120,
		run = function(t)
			local entry = cache.entry(t, t.tn1)
			entry:reach("INCOMPLETE")
			entry:advertise{ solicited = row.solicited == 1, override = row.override == 1,
				mac = row.has_address and t.tn1.mac }
			entry:verify()
		end,
	}
end

-- --- 18 to 20: the address is known already

-- The advertisement: to the NUT or to all nodes; Solicited, Override; and its Target Link-Layer Address: none,
-- the one that the NUT knows, or another one.
local NONE, SAME, OTHER = "no", "the same", "a different"
local KNOWN_PARTS = {
	{ part = "A", to = "Unicast", solicited = 0, override = 0, address = NONE },
	{ part = "B", to = "Unicast", solicited = 0, override = 1, address = NONE },
	{ part = "C", to = "Unicast", solicited = 1, override = 0, address = NONE },
	{ part = "D", to = "Unicast", solicited = 1, override = 1, address = NONE },
	{ part = "E", to = "Unicast", solicited = 0, override = 0, address = SAME },
	{ part = "F", to = "Unicast", solicited = 0, override = 1, address = SAME },
	{ part = "G", to = "Unicast", solicited = 1, override = 0, address = SAME },
	{ part = "H", to = "Unicast", solicited = 1, override = 1, address = SAME },
	{ part = "I", to = "Unicast", solicited = 0, override = 0, address = OTHER },
	{ part = "J", to = "Unicast", solicited = 0, override = 1, address = OTHER },
	{ part = "K", to = "Unicast", solicited = 1, override = 0, address = OTHER },
	{ part = "L", to = "Unicast", solicited = 1, override = 1, address = OTHER },
	{ part = "M", to = "Multicast", solicited = 0, override = 0, address = SAME },
	{ part = "N", to = "Multicast", solicited = 0, override = 1, address = SAME },
	{ part = "O", to = "Multicast", solicited = 0, override = 0, address = OTHER },
	{ part = "P", to = "Multicast", solicited = 0, override = 1, address = OTHER },
	{ part = "Q", to = "Multicast", solicited = 0, override = 0, address = NONE },
	{ part = "R", to = "Multicast", solicited = 0, override = 1, address = NONE },
}

local STATES = {
	{ number = 18, state = "REACHABLE", word = "Processing" },
	{ number = 19, state = "STALE", word = "Processing" },
	{ number = 20, state = "PROBE", word = "Processsing" }, -- as the list spells it
}

local function known_title(row, part)
	return string.format("Neighbor Advertisement %s, NCE State %s - Part %s: Receiving %s NA with S = %d, O = %d and "
		.. "%s TLLA", row.word, row.state, part.part, part.to, part.solicited, part.override,
		part.address == NONE and part.to == "Multicast" and "NO" or part.address)
end

for _, row in ipairs(STATES) do
	for _, part in ipairs(KNOWN_PARTS) do
		test {
			id = string.format("v6LC.2.1.%d.%s", row.number, part.part),
			title = known_title(row, part),
			role = "host",
			requires = cache.requires{ cache.ADVERTISED, cache.NOT_ADVERTISED, cache.UNCONFIRMED },
			timeout = 120,
			run = function(t)
				local entry = cache.entry(t, t.tn1)
				local macs = { [NONE] = false, [SAME] = t.tn1.mac, [OTHER] = cache.other_mac(t.tn1) }
				entry:reach(row.state)
				if row.state == "REACHABLE" then
					entry:verify() -- it could be STALE: that shows only when it is used
				end
				entry:advertise{ to = part.to == "Multicast" and ALL_NODES or t.nut.link_local,
					solicited = part.solicited == 1, override = part.override == 1, mac = macs[part.address] }
				entry:verify()
			end,
		}
	end
end

-- --- 21: a router that is none any more

local FORMER_ROUTER_PARTS = {
	{ part = "A", solicited = 1, override = 1, has_address = false },
	{ part = "B", solicited = 0, override = 0, has_address = false },
	{ part = "C", solicited = 0, override = 1, has_address = false },
	{ part = "D", solicited = 1, override = 0, has_address = false },
	{ part = "E", solicited = 1, override = 1, has_address = true },
	{ part = "F", solicited = 0, override = 0, has_address = true },
	{ part = "G", solicited = 0, override = 1, has_address = true },
	{ part = "H", solicited = 1, override = 0, has_address = true },
}

-- TR1 is the only default router. Its advertisement with the Router flag clear must remove it, so that there
-- is no next hop to TN2 any more.
local function expect_removed(t, part)
	local routers = router.list(t)
	t.tr1:stop_answering() -- an answer with the Router flag set would make it a router again
	routers:advertise(t.tr1, { reachable_time = 100000 })
	local entry = cache.entry(t, t.tr1, { through = t.tn2, nut = routers:wait_for_address(), reachable_time = 100 })
	entry:reach("REACHABLE")

	entry:advertise{ router = false, solicited = part.solicited == 1, override = part.override == 1,
		mac = part.has_address and t.tr1.mac }
	routers:remove(t.tr1)
	t:wait(0.2)
	routers:expect_no_first_hop{ clause = cache.ADVERTISED,
		why = "TR1 says that it is no router any more, so nothing may be sent through it" }
	-- As a neighbour it is still there.
	echo.control(t, t.tr1, 3)
end

for _, part in ipairs(FORMER_ROUTER_PARTS) do
	test {
		id = "v6LC.2.1.21." .. part.part,
		title = string.format("Neighbor Advertisement Processing, R-bit Change (Hosts Only) - Part %s: Receiving NA with "
			.. "R = 0, S = %d and O = %d and %sTLLA", part.part, part.solicited, part.override,
			part.has_address and "" or "NO "),
		role = "host",
		requires = cache.requires{ cache.ADVERTISED, router.NO_ROUTER, setup.ADDRESS },
		timeout = 60,
		run = function(t)
			expect_removed(t, part)
		end,
	}
end

-- --- 22 and 23: fragments

-- As atomic fragment, and in two fragments: the message of 24 octets without its option, and the option.
local function atomic(_, head, message)
	return { head / fragment{ identification = 0x2201 } / message }
end

local function in_two(_, head, message)
	return fragments(head / message, { 24, identification = 0x2301 })
end

-- A solicitation must not make an entry of TN1, and is not answered.
local function expect_solicitation_ignored(t, pieces_of, because)
	local entry = cache.entry(t, t.tn1)
	for _, piece in ipairs(pieces_of(t, ip6{ src = t.tn1.link_local, dst = t.nut.link_local, hop_limit = 255 },
		ns{ target = t.nut.link_local, nd_slla{ mac = t.tn1.mac } })) do
		t.tn1:send(piece)
	end
	t:expect_none(na{ target = t.nut.link_local }, { during = echo.SILENCE, clause = FRAGMENTS,
		why = because .. ": it must not be answered" })
	silence.no_error(t, 0, FRAGMENTS, because .. ": it must be discarded silently")
	entry:ignores(FRAGMENTS, because)
	entry:verify()
	-- The same solicitation without a Fragment header is answered, and makes an entry.
	entry:solicit{}
end

-- An advertisement must not resolve TN1's address.
local function expect_advertisement_ignored(t, pieces_of, because)
	local entry = cache.entry(t, t.tn1)
	entry:reach("INCOMPLETE")
	for _, piece in ipairs(pieces_of(t, ip6{ src = t.tn1.link_local, dst = t.nut.link_local, hop_limit = 255 },
		na{ solicited = 1, override = 1, target = t.tn1.link_local, nd_tlla{ mac = t.tn1.mac } })) do
		t.tn1:send(piece)
	end
	expect_ignored(t, entry, FRAGMENTS, because)
	control(entry, { solicited = true, override = true })
end

test {
	id = "v6LC.2.1.22.A",
	title = "Atomic Fragments in Neighbor Soliciation and Neighbor Advertisment - Part A: "
		.. "Neighbor Soliciation with Atomic Fragment",
	role = "host",
	timeout = 120,
	requires = cache.requires{ FRAGMENTS, cache.ANSWER, cache.OVERRIDE, "RFC 4861 7.2.3 SHOULD" },
	run = function(t)
		expect_solicitation_ignored(t, atomic, "a solicitation in an atomic fragment came")
	end,
}

test {
	id = "v6LC.2.1.22.B",
	title = "Atomic Fragments in Neighbor Soliciation and Neighbor Advertisment - Part B: "
		.. "Neighbor Advertisement with Atomic Fragment",
	role = "host",
	timeout = 120,
	requires = cache.requires{ FRAGMENTS },
	run = function(t)
		expect_advertisement_ignored(t, atomic, "an advertisement in an atomic fragment came")
	end,
}

test {
	id = "v6LC.2.1.23.A",
	title = "Fragment Header in Neighbor Solicitation and Neighbor Advertisement - Part A: "
		.. "Neighbor Soliciation with Fragment Header",
	role = "host",
	timeout = 120,
	requires = cache.requires{ FRAGMENTS, cache.ANSWER, cache.OVERRIDE, "RFC 4861 7.2.3 SHOULD" },
	run = function(t)
		expect_solicitation_ignored(t, in_two, "a solicitation in two fragments came")
	end,
}

test {
	id = "v6LC.2.1.23.B",
	title = "Fragment Header in Neighbor Solicitation and Neighbor Advertisement - Part B: "
		.. "Neighbor Advertisement with Fragment Header",
	role = "host",
	timeout = 120,
	requires = cache.requires{ FRAGMENTS },
	run = function(t)
		expect_advertisement_ignored(t, in_two, "an advertisement in two fragments came")
	end,
}
