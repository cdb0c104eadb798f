-- Section 2 of the Core Protocols list: Router Advertisements that come with a Fragment header, RFC 6980.
local echo = use "echo"
local setup = use "setup"
local silence = use "silence"
local timing = use "timing"

local IGNORED = "RFC 6980 5 MUST"

-- A Cur Hop Limit that no host has by itself, so that an Echo Reply shows whether it was taken over.
local HOP_LIMIT = 99

-- Duplicate address detection begins up to a second after the advertisement (RFC 4862 5.4.2), if an address
-- is formed of it at all.
local FIRST_TRY = 4

-- A valid Router Advertisement with everything that a host takes over: TR1 is a default router, its link-layer
-- address, the Cur Hop Limit and prefix X. It goes to the NUT alone, as the list has it.
local function advertisement(t)
	return ip6{ src = t.tr1.link_local, dst = t.nut.link_local, hop_limit = 255 }, ra{
		cur_hop_limit = HOP_LIMIT, router_lifetime = 1800,
		nd_slla{ mac = t.tr1.mac },
		nd_prefix{ prefix = setup.PREFIX, valid_lifetime = 3600, preferred_lifetime = 3600 },
	}
end

-- Nothing of the advertisement may be known, and nothing said about it: no address of prefix X is tried, TR1 has
-- no Neighbor Cache entry, CurHopLimit is what it was.
local function expect_ignored(t)
	t:expect_none(ns{ target = prefix(setup.PREFIX_X) }, { during = FIRST_TRY, clause = IGNORED,
		why = "an advertisement with a Fragment header must be ignored: no address of its prefix" })
	silence.no_error(t, 0, IGNORED, "an advertisement with a Fragment header must be ignored silently")
	t:expect_none(ns{ target = t.tr1.link_local }, { during = 0, clause = IGNORED,
		why = "an advertisement with a Fragment header must be ignored silently: the NUT has nothing to say to TR1" })

	-- TR1 says nothing yet: an entry from the advertisement would let the NUT reply at once.
	t.tr1:send(ip6{ src = t.tr1.link_local, dst = t.nut.link_local } / echo.request(1))
	t:expect(ip6{ dst = solicited_node(t.tr1.link_local) } / ns{ target = t.tr1.link_local },
		{ within = 1, clause = IGNORED, why = "TR1 must have no entry from the advertisement, so it is solicited first" })
	t:expect_none(echo.any_reply(1), { during = timing.SOLICITATIONS * timing.latest(timing.RETRANS), clause = IGNORED,
		why = "TR1 must have no entry from the advertisement, and answers no solicitation" })

	t.tr1:start_answering()
	local reply = echo.control(t, t.tr1, 2)
	t:check(reply.ip6.hop_limit ~= HOP_LIMIT, "CurHopLimit is not the one of the advertisement", { clause = IGNORED })
end

-- The same advertisement without a Fragment header is taken: it was ignored because of the header. It is also the
-- only one that the NUT hears, so that it must make use of it.
local function expect_taken(t, header, message)
	t.tr1:send(header / message)
	t:expect(ip6{ src = "::" } / ns{ target = prefix(setup.PREFIX_X) }, { within = FIRST_TRY, clause = setup.ADDRESS,
		why = "the same advertisement without a Fragment header must be taken: an address of its prefix" })
end

local CLAUSES = { IGNORED, echo.REPLY, setup.ADDRESS }

test {
	id = "v6LC.2.2.26.A",
	title = "Atomic Fragments in Router Soliciation and Router Advertisement - "
		.. "Part A: Router Advertisment with Atomic Fragment (Host Only)",
	role = "host",
	requires = CLAUSES,
	run = function(t)
		t.tr1:stop_answering()
		local header, message = advertisement(t)
		t.tr1:send(header / fragment{ identification = 0x2226 } / message)
		expect_ignored(t)
		expect_taken(t, header, message)
	end,
}

test {
	id = "v6LC.2.2.27.A",
	title = "Fragments in Router Solitication and Router Advertisments - "
		.. "Part A: Router Advertisment with Fragment Header (Host Only)",
	role = "host",
	requires = CLAUSES,
	run = function(t)
		t.tr1:stop_answering()
		local header, message = advertisement(t)
		-- The first has the header of the advertisement and the link-layer address, the second the prefix.
		for _, piece in ipairs(fragments(header / message, { 24, identification = 0x2227 })) do
			t.tr1:send(piece)
		end
		expect_ignored(t)
		expect_taken(t, header, message)
	end,
}
