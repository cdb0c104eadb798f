-- Section 2.3 of the Core Protocols list, 2.3.10 to 2.3.15: what a Redirect does to the neighbour cache entry of its
-- target, RFC 4861 section 8.3. The target is TR2, whom the NUT knows as the test says.
local cache = use "neighbor_cache"
local redirect = use "redirect"
local setup = use "setup"

-- A reply of so many octets of data is never too large for a path, and quoted in a Redirect it makes that
-- larger than the 1280 octets that its sender must not exceed (RFC 4861 9). Receivers know no such limit.
local OVERSIZED = 1200

local NO_TLLA = "No TLLA Option"
local TLLA = "TLLA Option"
local NO_HEADER = "No Redirected Packet Option"
local HEADER = "Redirected Packet Option"
local OVERSIZED_HEADER = "Oversized Redirected Packet Option"

-- The columns of the list: the options, and what becomes of TR2's link-layer address. `same` is for a Redirect that
-- has the one that the NUT knows.
local UPDATED, UNCHANGED = "Link-layer Address Updated", "Link-layer Address Unchanged"
local NOTHING = { NO_TLLA, NO_HEADER, UNCHANGED, with = {} }
local SAME = { TLLA, NO_HEADER, UNCHANGED, with = { tlla = true }, same = true }
local OTHER = { TLLA, NO_HEADER, UPDATED, with = { tlla = true } }
local OTHER_HEADER = { TLLA, HEADER, UPDATED, with = { tlla = true, header = true } }
local OTHER_OVERSIZED = { TLLA, OVERSIZED_HEADER, UPDATED, with = { tlla = true, header = true }, size = OVERSIZED }
local UNKNOWN_BEFORE = { NOTHING, OTHER, OTHER_HEADER, OTHER_OVERSIZED }
local KNOWN_BEFORE = { NOTHING, SAME, OTHER, OTHER_HEADER, OTHER_OVERSIZED }

-- The Redirect made TR2 a router: when it says that it is none, TN2's packets must go by TR1 again (RFC 4861
-- 7.2.5). Of a TR2 that was no router before the NUT would hear nothing new.
local function expect_router(t, way, entry, hop)
	if redirect.expect_by(t, way, hop, redirect.FOLLOW, "a valid Redirect should be followed") then
		entry:advertise{ solicited = true, override = true, router = false, mac = hop.mac }
		redirect.expect_by(t, way, redirect.by(t.tr1), redirect.TARGET,
			"the Redirect made TR2 a router, and it has said that it is none")
	end
end

local function update_test(group, name, state, part, row)
	local requires = { setup.ADDRESS, redirect.SUPPORT, redirect.TARGET, redirect.FOLLOW, cache.NO_ADDRESS,
		cache.UNCONFIRMED, cache.ADVERTISED }
	test {
		id = string.format("v6LC.2.3.%d.%s", group, part),
		title = string.format("Neighbor Cache Updated%s (Hosts Only) - Part %s: %s, %s, %s", name, part, row[1], row[2],
			row[3]),
		role = "host",
		requires = cache.requires(requires),
		timeout = 180,
		run = function(t)
			local way = redirect.set_up(t)
			redirect.expect_by_tr1(t, way, row.size)
			local entry = cache.entry(t, t.tr2)
			if state ~= "NONE" then
				entry:reach(state)
			end

			local mac = row.same and t.tr2.mac or cache.other_mac(t.tr2)
			local hop = redirect.by(t.tr2, mac)
			t.tr1:send(redirect.message(t, way, hop, row.with))
			if not entry:told{ by = "redirect", mac = row.with.tlla and mac } or not entry:verify() then
				return
			end
			if state == "NONE" and row.with.tlla then
				expect_router(t, way, entry, hop)
			end
		end,
	}
end

for _, group in ipairs{
	{ 10, ", No Neighbor Cache Entry", "NONE", UNKNOWN_BEFORE },
	{ 11, " from State INCOMPLETE", "INCOMPLETE", UNKNOWN_BEFORE },
	{ 12, " from State REACHABLE", "REACHABLE", KNOWN_BEFORE },
	{ 13, " from State STALE", "STALE", KNOWN_BEFORE },
	{ 14, " from State PROBE", "PROBE", KNOWN_BEFORE },
} do
	local number, name, state, rows = table.unpack(group)
	for i, row in ipairs(rows) do
		update_test(number, name, state, string.char(64 + i), row)
	end
end

for _, row in ipairs(redirect.INVALID) do
	local part, name, spoil = table.unpack(row)

	test {
		id = "v6LC.2.3.15." .. part,
		title = string.format("Invalid Redirect does not Update Neighbor Cache (Hosts Only) - Part %s: %s", part, name),
		role = "host",
		requires = cache.requires(redirect.requires{ redirect.VALID, redirect.SUPPORT }),
		timeout = 60,
		run = function(t)
			local way = redirect.set_up(t)
			local entry = cache.entry(t, t.tr2)
			local hop = redirect.by(t.tr2, cache.other_mac(t.tr2))
			redirect.expect_by_tr1(t, way)

			local good = redirect.message(t, way, hop, { tlla = true, header = true })
			redirect.send(t, spoil(t, good))
			redirect.expect_by(t, way, redirect.by(t.tr1), redirect.VALID, "an invalid Redirect must be discarded")
			entry:ignores(redirect.VALID, "an invalid Redirect came")
			entry:verify()

			-- TR2 is being looked for. The same Redirect without the defect says where it is.
			t.tr1:send(good)
			entry:told{ by = "redirect", mac = hop.mac }
		end,
	}
end
