-- Section 2.3 of the Core Protocols list: Redirects, RFC 4861 section 8. What becomes of the neighbour
-- cache is in nd_redirect_cache.lua.
--
-- To support Redirects is a SHOULD (RFC 4861 8.3), to discard the invalid ones a MUST (8.1). The list's
-- Redirects go to the NUT's link-local address; here they go to the source of the packet that would have
-- caused them, as RFC 4861 4.5 has it.
local cache = use "neighbor_cache"
local echo = use "echo"
local pmtu = use "pmtu"
local redirect = use "redirect"

-- The combinations of options that a Redirect may have.
local COMBINATIONS = {
	{ "A", "dst=global, w/o TLL, w/o Redirected Header", {} },
	{ "B", "dst=global, w/o TLL, w/ Redirected Header", { header = true } },
	{ "C", "dst=global, w/ TLL, w/o Redirected Header", { tlla = true } },
	{ "D", "dst=global, w/ TLL, w/ Redirected Header", { tlla = true, header = true } },
}

-- TN2 is a neighbour whose link-layer address the Redirect has told, and nothing has confirmed: it is solicited after
-- five seconds of use, and answers.
local function expect_stale_neighbour(t, way, hop)
	local entry = cache.entry(t, t.tn1, { address = hop.target, nut = way.nut, through = t.tn2 })
	if entry:told{ by = "redirect", mac = hop.mac } and entry:verify() then
		entry:advertise{ solicited = true, override = true }
		return true
	end
end

-- TN2 is a neighbour like any other of which only the address is known: it was solicited.
local function check_solicitation(t, way, solicitation)
	t:check(solicitation, "the NUT has to solicit TN2 before it can send to it", { clause = redirect.TARGET })
	t:check(solicitation:matches(ip6{ dst = solicited_node(way.peer), hop_limit = 255 }
		/ ns{ code = 0, reserved = 0, nd_slla{ mac = t.nut.mac } }),
		"a multicast solicitation has the link-layer address of its sender", { clause = "RFC 4861 7.2.2 MUST" })
	t:check(solicitation.ip6.src == way.nut,
		string.format("the solicitation comes from %s, the packet that waits from %s", solicitation.ip6.src, way.nut),
		{ clause = "RFC 4861 7.2.2 SHOULD" })
end

for _, row in ipairs(COMBINATIONS) do
	local part, name, with = table.unpack(row)

	test {
		id = "v6LC.2.3.1." .. part,
		title = string.format("Redirected On-link: Valid (Hosts Only) - Part %s: %s", part, name),
		role = "host",
		requires = with.tlla and cache.requires(redirect.requires{ redirect.TARGET, redirect.SUPPORT, cache.ADVERTISED })
			or redirect.requires{ redirect.TARGET, redirect.OTHERS, "RFC 4861 7.2.2 MUST", "RFC 4861 7.2.2 SHOULD" },
		timeout = 60,
		run = function(t)
			local way, hop = redirect.set_up(t), redirect.on_link(t)
			redirect.expect_by_tr1(t, way)
			redirect.send(t, redirect.message(t, way, hop, with))
			if with.tlla then
				if not expect_stale_neighbour(t, way, hop) then
					return
				end
			else
				local is_followed, solicitation = redirect.expect_followed(t, way, hop)
				if not is_followed then
					return
				end
				check_solicitation(t, way, solicitation)
			end
			-- TN2 has answered by now, as the host that it is.
			redirect.expect_by(t, way, hop, redirect.TARGET, "the Redirect says that TN2 is on link")
			redirect.expect_tn3_by_tr1(t, way)
		end,
	}

	test {
		id = "v6LC.2.3.4." .. part,
		title = string.format("Redirected to Alternate Router: Valid (Hosts Only) - Part %s: %s", part, name),
		role = "host",
		requires = redirect.requires{ redirect.OTHERS },
		timeout = 60,
		run = function(t)
			local way, hop = redirect.set_up(t), redirect.by(t.tr2)
			redirect.meet(t, t.tr2)
			redirect.expect_by_tr1(t, way)
			redirect.send(t, redirect.message(t, way, hop, with))
			if redirect.expect_followed(t, way, hop) then
				redirect.expect_tn3_by_tr1(t, way)
			end
		end,
	}
end

test {
	id = "v6LC.2.3.9",
	title = "No Destination Cache Entry (Hosts Only) - No Destination Cache Entry",
	role = "host",
	requires = redirect.requires(),
	timeout = 60,
	run = function(t)
		-- Nothing was sent to TN2 yet. The Redirect is valid, as TR1 is what would have been chosen.
		local way, hop = redirect.set_up(t), redirect.by(t.tr2)
		redirect.meet(t, t.tr2)
		redirect.send(t, redirect.message(t, way, hop, { tlla = true }))
		redirect.expect_followed(t, way, hop)
	end,
}

-- What is odd with a Redirect and no reason to refuse it.
local UNKNOWN = nd_unknown{ type = redirect.UNKNOWN, data = "unknown" }
local ODDITIES = {
	{ "A", "Option Unrecognized", { tlla = true, first = { UNKNOWN }, last = { UNKNOWN } },
		"an option of unknown type must be ignored, and the Redirect is not followed for it" },
	{ "B", "Reserved Field is Non-zero", { tlla = true, reserved = 0xffffffff },
		"the Reserved field must be ignored, and the Redirect is not followed for it" },
}

for _, row in ipairs(ODDITIES) do
	local part, name, with, why = table.unpack(row)

	local function expect_oddity_ignored(t, way, hop)
		redirect.expect_by_tr1(t, way)
		redirect.send(t, redirect.message(t, way, hop, with))
		redirect.expect_followed(t, way, hop,
			{ plain = redirect.message(t, way, hop, { tlla = true }), clause = redirect.VALID, why = why })
	end

	test {
		id = "v6LC.2.3.2." .. part,
		title = string.format("Redirected On-link: Suspicious (Hosts Only) - Part %s: %s", part, name),
		role = "host",
		requires = redirect.requires{ redirect.VALID },
		timeout = 60,
		run = function(t)
			expect_oddity_ignored(t, redirect.set_up(t), redirect.on_link(t))
		end,
	}

	test {
		id = "v6LC.2.3.5." .. part,
		title = string.format("Redirected to Alternate Router: Suspicious (Hosts only) - Part %s: %s", part, name),
		role = "host",
		requires = redirect.requires{ redirect.VALID },
		timeout = 60,
		run = function(t)
			local way = redirect.set_up(t)
			redirect.meet(t, t.tr2)
			expect_oddity_ignored(t, way, redirect.by(t.tr2))
		end,
	}
end

test {
	id = "v6LC.2.3.2.C",
	title = "Redirected On-link: Suspicious (Hosts Only) - Part C: Target Address not Covered by On-link Prefix",
	role = "host",
	requires = redirect.requires{ "RFC 4861 8.1 MUST NOT" },
	timeout = 60,
	run = function(t)
		-- TN2's prefix is not advertised. A router's target is always in a prefix of the link, fe80::/10.
		local way, hop = redirect.set_up(t), redirect.on_link(t)
		redirect.expect_by_tr1(t, way)
		redirect.send(t, redirect.message(t, way, hop, { tlla = true }))
		redirect.expect_followed(t, way, hop, {
			plain = redirect.message(t, way, redirect.by(t.tr2), { tlla = true }), hop = redirect.by(t.tr2),
			clause = "RFC 4861 8.1 MUST NOT",
			why = "a Redirect to a router is followed, and one to a target that no prefix of the link covers is not",
		})
	end,
}

for _, row in ipairs(redirect.INVALID) do
	local part, name, spoil = table.unpack(row)

	local function expect_discarded(t, way, hop)
		redirect.expect_by_tr1(t, way)
		redirect.send(t, spoil(t, redirect.message(t, way, hop, { tlla = true, header = true })))
		redirect.expect_by(t, way, redirect.by(t.tr1), redirect.VALID, "an invalid Redirect must be discarded")
		redirect.expect_control(t, way, hop)
	end

	test {
		id = "v6LC.2.3.3." .. part,
		title = string.format("Redirected On-link: Invalid (Hosts Only) - Part %s: %s", part, name),
		role = "host",
		requires = redirect.requires{ redirect.VALID },
		timeout = 60,
		run = function(t)
			expect_discarded(t, redirect.set_up(t), redirect.on_link(t))
		end,
	}

	test {
		id = "v6LC.2.3.6." .. part,
		title = string.format("Redirected to Alternate Router: Invalid (Hosts Only) - Part %s: %s", part, name),
		role = "host",
		requires = redirect.requires{ redirect.VALID },
		timeout = 60,
		run = function(t)
			local way = redirect.set_up(t)
			redirect.meet(t, t.tr2)
			expect_discarded(t, way, redirect.by(t.tr2))
		end,
	}
end

test {
	id = "v6LC.2.3.7",
	title = "Redirected Twice (Hosts Only) - Redirected Twice",
	role = "host",
	requires = redirect.requires(),
	timeout = 60,
	run = function(t)
		local way = redirect.set_up(t)
		local second, third = redirect.by(t.tr2), redirect.by(t.tr3)
		redirect.meet(t, t.tr2)
		redirect.meet(t, t.tr3)
		redirect.expect_by_tr1(t, way)
		redirect.send(t, redirect.message(t, way, second, {}))
		if not redirect.expect_followed(t, way, second) then
			return
		end
		-- TR2 is the first hop for TN2 now, so it is the one whose Redirect is valid.
		redirect.send(t, redirect.message(t, way, third, { from = t.tr2 }), t.tr2)
		if not redirect.expect_followed(t, way, third) then
			return
		end
		-- The list does not go on. TR1's Redirects have become invalid now: it is not the first hop any more.
		redirect.send(t, redirect.message(t, way, second, {}))
		t:note(redirect.is_by(t, way, third)
			and "a Redirect of TR1, which is not the first hop any more, is discarded"
			or "not judged: a Redirect of TR1, which is not the first hop any more, should have been discarded "
				.. "(RFC 4861 8.1)")
	end,
}

-- Options that are defined, but not for Redirects: they must be ignored, and the rest be processed (RFC 4861 8.1).
-- `at_once` looks at what came when the Redirect was sent; `before` and `after` compare, and get whether the
-- Redirect was followed.
local PREFIX_Y = "2001:db8:0:d::"
local REQUIRED = redirect.requires{ redirect.VALID }

local FOREIGN = {
	{
		part = "A", name = "Path MTU Option", option = nd_mtu{ mtu = 1280 }, requires = pmtu.clauses(REQUIRED),
		-- A host may send large replies in fragments anyhow (RFC 8201 1); it must not begin to.
		before = function(t, way)
			return pmtu.expect_reply(t, pmtu.path_off_link(t, t.tn2, way.nut), 1500)
		end,
		after = function(t, way, before, is_followed)
			local path = pmtu.path_off_link(t, t.tn2, way.nut)
			path.via = is_followed and t.tr2 or t.tr1
			t:check(pmtu.expect_reply(t, path, 1500):has("fragment") == before:has("fragment"),
				"the MTU option of a Redirect must not change what the NUT sends", { clause = redirect.VALID })
		end,
	},
	{
		part = "B", name = "Prefix Information Option", option = nd_prefix{ prefix = PREFIX_Y }, requires = REQUIRED,
		at_once = function(t)
			t:expect_none(ns{ target = prefix(PREFIX_Y .. "/64") }, { during = 2, clause = redirect.VALID,
				why = "the Prefix Information option of a Redirect must not make an address" })
		end,
		after = function(t, way)
			local other = { nut = way.nut, peer = PREFIX_Y .. "b1", number = way.number }
			redirect.expect_by(t, other, redirect.by(t.tr1), redirect.VALID,
				"the Prefix Information option of a Redirect must not put a prefix on the link")
		end,
	},
	{
		part = "C", name = "Source Link-layer Address Option", option = nd_slla{ mac = "02:00:00:00:02:a1" },
		requires = REQUIRED,
		after = function(t)
			t.tr1:send(ip6{ src = t.tr1.link_local, dst = t.nut.link_local } / echo.request(0x2308))
			t:expect(echo.reply(0x2308), { to = t.tr1, within = echo.WINDOW, clause = redirect.VALID,
				why = "the Source Link-Layer Address option of a Redirect must not change TR1's address" })
		end,
	},
}

for _, row in ipairs(FOREIGN) do
	test {
		id = "v6LC.2.3.8." .. row.part,
		title = string.format("Invalid Option (Hosts Only) - Part %s: %s", row.part, row.name),
		role = "host",
		requires = row.requires,
		timeout = 60,
		run = function(t)
			local way, hop = redirect.set_up(t), redirect.by(t.tr2)
			redirect.meet(t, t.tr2)
			redirect.expect_by_tr1(t, way)
			local before = row.before and row.before(t, way)
			redirect.send(t, redirect.message(t, way, hop, { last = { row.option } }))
			if row.at_once then
				row.at_once(t)
			end
			local is_followed = redirect.expect_followed(t, way, hop, {
				plain = redirect.message(t, way, hop, {}), clause = redirect.VALID,
				why = "an option that does not belong into a Redirect must be ignored, and the Redirect is not followed for it",
			})
			row.after(t, way, before, is_followed)
		end,
	}
end

-- RFC 6980 section 5: what comes behind a Fragment header is no message of Neighbor Discovery.
local FRAGMENT = "RFC 6980 5 MUST"

for _, row in ipairs{
	{ id = "v6LC.2.3.18", title = "Atomic Fragments in Redirect (Host Only)", sizes = {} },
	-- The first fragment has the whole Redirect but its options, so that no header is missing in it.
	{ id = "v6LC.2.3.19", title = "Fragment Header in Redirect (Host Only)", sizes = { 40 } },
} do
	test {
		id = row.id,
		title = row.title,
		role = "host",
		requires = redirect.requires{ FRAGMENT },
		timeout = 60,
		run = function(t)
			local way, hop = redirect.set_up(t), redirect.by(t.tr2)
			redirect.meet(t, t.tr2)
			redirect.expect_by_tr1(t, way)
			local whole = redirect.message(t, way, hop, { tlla = true, header = true })
			for _, piece in ipairs(fragments(whole, { identification = 0x2318, table.unpack(row.sizes) })) do
				t.tr1:send(piece)
			end
			redirect.expect_no_error(t)
			redirect.expect_by(t, way, redirect.by(t.tr1), FRAGMENT, "a Redirect with a Fragment header must be ignored")
			redirect.expect_control(t, way, hop)
		end,
	}
end
