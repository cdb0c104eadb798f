-- Section 3 of the Core Protocols list: duplicate address detection, RFC 4862 section 5.4.
--
-- Most procedures of the list begin with a boot. An interface that comes up again does the same (RFC 4862 5.3), so
-- that only the first one boots. The list computes the address from the MAC; here it is read off the solicitation
-- with which the NUT tries it, so any identifier will do (RFC 8064, RFC 7136).
local dad = use "dad"

local VALIDATE = "RFC 4862 5.4.1 MUST"
local VALID_NS, VALID_NA = "RFC 4861 7.1.1 MUST", "RFC 4861 7.1.2 MUST"

test {
	id = "v6LC.3.1.1",
	title = "Address Autoconfiguration and Duplicate Address Detection",
	role = "host",
	requires = {
		"RFC 4862 5.4 MUST", "RFC 4862 5.4.2 MUST", "RFC 4861 4.3 MUST NOT", "RFC 4861 7.2.4 MUST",
	},
	boots = true,
	timeout = 60,
	run = function(t)
		t.nut:reboot()
		local trial = dad.expect_tried(t, dad.LINK_LOCAL, dad.START,
			{ why = "the NUT must try its link-local address" })
		t:check(not trial.packet.ns.nd_slla, "a solicitation from :: must not have a source link-layer address",
			{ clause = "RFC 4861 4.3 MUST NOT" })
		t:check(trial.packet.ip6.dst == solicited_node(trial.address),
			string.format("the solicitation goes to %s, it must go to the solicited-node group of %s",
				trial.packet.ip6.dst, trial.address),
			{ clause = dad.JOINED })

		-- The boot may have taken longer than all of it: this looks at the times of what came.
		dad.expect_period(t, trial)
		local joined = dad.expect_joined(t, trial.address, 0)
		local before = trial.at - joined
		t:note(string.format("the NUT told that it joined the group %.3f s %s it tried the address", math.abs(before),
			before < 0 and "after" or "before"))

		-- Another node tries the same address: the NUT has it now and defends it.
		dad.expect_defended(t, trial.address)
	end,
}

-- TN1 tries the address before the NUT does: the NUT must be listening while it waits for the random moment of its own
-- solicitation, and a solicitation that comes before one is sent says that the address is a duplicate.
local function interfere_early(t, address)
	-- IP may be off after the duplicate before. It must not come back while the interface is still up.
	t:command{ "ip", "link", "set", "dev", "eth0", "down" }
	t:command{ "sysctl", "-w", "net.ipv6.conf.eth0.disable_ipv6=0" }
	t:command{ "ip", "link", "set", "dev", "eth0", "up" }
	dad.expect_joined(t, address, dad.START)
	t.tn1:send(dad.foreign(address))
	local trial = dad.expect_tried(t, address, dad.START, { clause = dad.JOINED, level = "MAY",
		why = "the NUT may try the address before it hears of the duplicate" })
	t:note(trial and "the NUT tried the address, too" or "the NUT did not try the address any more")
	dad.expect_not_assigned(t, trial or { address = address, at = t:now() }, dad.JOINED,
		"a solicitation that comes before the NUT has sent one makes the address a duplicate")
end

-- What TN1 does while the NUT's link-local address is tentative: a message about another address is
-- nothing to the NUT, one about its own makes it a duplicate.
local MEANWHILE = {
	{
		part = "A: NUT receives DAD NS (target != NUT)", clause = "RFC 4861 7.2.3 MUST",
		about = "a solicitation for another address",
		-- It reaches the NUT, being sent to the group of the NUT's address.
		make = function(t, address) return dad.foreign(address):with("ns", { target = t.tn1.link_local }) end,
	},
	{
		part = "B: NUT receives DAD NS (target == NUT)", is_duplicate = true, finally = interfere_early,
		make = function(_, address) return dad.foreign(address) end,
	},
	{
		part = "C: NUT receives DAD NA (target != NUT)", clause = "RFC 4861 7.2.4 MUST",
		about = "an advertisement of another address",
		make = function(t) return dad.defence(t.tn1.link_local, nd_tlla{ mac = t.tn1.mac }) end,
	},
	{
		part = "D: NUT receives DAD NA (target == NUT)", is_duplicate = true,
		make = function(_, address) return dad.defence(address) end,
	},
}

-- The NUT tries its link-local address, and TN1 sends what row.make() makes at once. Then the address is
-- a duplicate, or the NUT takes it. `clause` says why the message counts or does not.
local function interfere(t, row)
	local trial = dad.start(t)
	t.tn1:send(row.make(t, trial.address))
	dad.expect_silence(t, trial, "no answer while the address is tentative")
	if not row.is_duplicate then
		dad.expect_assigned(t, trial, row.clause, row.about .. " must not keep the NUT from its address")
		return
	end
	dad.expect_not_assigned(t, trial, row.clause, row.about and row.about .. ": a duplicate must not be assigned")
	dad.expect_disabled(t, trial)
	if row.finally then
		row.finally(t, trial.address)
	end
end

-- The clauses of a row, and `more`.
local function requires(row, more)
	local clauses = { dad.TRIED, dad.NO_ANSWER, table.unpack(more) }
	for _, clause in ipairs(row.is_duplicate and { dad.DUPLICATE, dad.DISABLED } or { dad.ANSWER }) do
		table.insert(clauses, clause)
	end
	return clauses
end

for _, row in ipairs(MEANWHILE) do
	test {
		id = "v6LC.3.1.2." .. row.part:sub(1, 1),
		title = "Receiving DAD Neighbor Solicitations and Advertisements - Part " .. row.part,
		role = "host",
		requires = requires(row, { row.clause or row.finally and dad.JOINED }),
		timeout = 60,
		run = function(t) interfere(t, row) end,
	}
end

-- The first 16 octets of the ICMPv6 message in `whole`, with a right checksum: half of the target is missing.
local function truncated(whole, kind)
	local first = parse(whole:bytes())
	return ip6{ src = first.ip6.src, dst = first.ip6.dst, hop_limit = 255 }
		/ icmp6{ type = kind, data = whole:bytes():sub(45, 56) }
end

-- The same packet with a checksum that is wrong in its last bit.
local function miscounted(whole, layer)
	return whole:with(layer, { checksum = parse(whole:bytes())[layer].checksum ~ 1 })
end

local SOLICITATIONS = {
	{
		part = "A: NUT receives invalid DAD NS (ICMP length < 24 octets)", about = "a solicitation of 16 octets",
		make = function(_, address) return truncated(dad.foreign(address), 135) end,
	},
	{
		part = "B: NUT receives invalid DAD NS (HopLimit !=255)", about = "a solicitation with Hop Limit 254",
		make = function(_, address) return dad.foreign(address):with("ip6", { hop_limit = 254 }) end,
	},
	{
		part = "C: NUT receives invalid DAD NS (Dst = NUT's tentative address)",
		about = "a solicitation from :: to the address itself",
		make = function(_, address) return dad.foreign(address):with("ip6", { dst = address }) end,
	},
	{
		part = "D: NUT receives invalid DAD NS (Dst = allnode)", about = "a solicitation from :: to all nodes",
		make = function(_, address) return dad.foreign(address):with("ip6", { dst = "ff02::1" }) end,
	},
	{
		part = "E: NUT receives invalid DAD NS (ICMP code!= zero)", about = "a solicitation with code 1",
		make = function(_, address) return dad.foreign(address):with("ns", { code = 1 }) end,
	},
	{
		part = "F: NUT receives invalid DAD NS (Invalid Checksum)", about = "a solicitation with a wrong checksum",
		make = function(_, address) return miscounted(dad.foreign(address), "ns") end,
	},
	{
		part = "G: NUT receives invalid DAD NS (target == multicast address)",
		about = "a solicitation for the solicited-node group",
		make = function(_, address)
			return dad.foreign(address):with("ns", { target = solicited_node(address) })
		end,
	},
	{
		part = "H: NUT receives invalid DAD NS (contains SLL)",
		about = "a solicitation from :: with a source link-layer address",
		make = function(t, address) return dad.foreign(address, nd_slla{ mac = t.tn1.mac }) end,
	},
	{
		part = "I: NUT receives valid DAD NS (Reserved Field)", is_duplicate = true, clause = VALID_NS,
		about = "the Reserved field of a solicitation must be ignored",
		make = function(_, address) return dad.foreign(address):with("ns", { reserved = 0xffffffff }) end,
	},
	{
		-- The list calls the option unrecognized; it is a defined one that does not belong here.
		part = "J: NUT receives valid DAD NS (contains TLL)", is_duplicate = true, clause = VALID_NS,
		about = "a target link-layer address in a solicitation must be ignored",
		make = function(t, address) return dad.foreign(address, nd_tlla{ mac = t.tn1.mac }) end,
	},
}

for _, row in ipairs(SOLICITATIONS) do
	row.clause = row.clause or VALIDATE
	test {
		id = "v6LC.3.1.3." .. row.part:sub(1, 1),
		title = "Validation of DAD Neighbor Solicitations - Part " .. row.part,
		role = "host",
		requires = requires(row, { VALIDATE, VALID_NS }),
		timeout = 60,
		run = function(t) interfere(t, row) end,
	}
end

-- What a node sends that has the address, with its link-layer address.
local function owner(t, address)
	return dad.defence(address, nd_tlla{ mac = t.tn1.mac })
end

local ADVERTISEMENTS = {
	{
		part = "A: NUT receives invalid DAD NA (ICMP length < 24 octets)", about = "an advertisement of 16 octets",
		make = function(t, address) return truncated(owner(t, address), 136) end,
	},
	{
		part = "B: NUT receives invalid DAD NA (HopLimit != 255)", about = "an advertisement with Hop Limit 254",
		make = function(t, address) return owner(t, address):with("ip6", { hop_limit = 254 }) end,
	},
	{
		part = "C: NUT receives invalid DAD NA (ICMP code!= zero)", about = "an advertisement with code 1",
		make = function(t, address) return owner(t, address):with("na", { code = 1 }) end,
	},
	{
		part = "D: NUT receives invalid DAD NA (Invalid Checksum)", about = "an advertisement with a wrong checksum",
		make = function(t, address) return miscounted(owner(t, address), "na") end,
	},
	{
		part = "E: NUT receives invalid DAD NA (SolicitedFlag ==1)",
		about = "an advertisement to all nodes with the Solicited flag set",
		make = function(t, address) return owner(t, address):with("na", { solicited = 1 }) end,
	},
	{
		part = "F: NUT receives invalid DAD NA (target == multicast address)",
		about = "an advertisement of the solicited-node group",
		make = function(t, address)
			return owner(t, address):with("na", { target = solicited_node(address) })
		end,
	},
	{
		part = "G: NUT receives invalid DAD NA (option length ==zero)",
		about = "an advertisement with an option of length 0",
		make = function(t, address) return dad.defence(address, nd_tlla{ length = 0, mac = t.tn1.mac }) end,
	},
	{
		part = "H: NUT receives valid DAD NA (Reserved Field)", is_duplicate = true, clause = VALID_NA,
		about = "the Reserved field of an advertisement must be ignored",
		make = function(t, address) return owner(t, address):with("na", { reserved = 0x1fffffff }) end,
	},
	{
		-- The list calls the option unrecognized; it is a defined one that does not belong here.
		part = "I: NUT receives valid DAD NA (contains SLL)", is_duplicate = true, clause = VALID_NA,
		about = "a source link-layer address in an advertisement must be ignored",
		make = function(t, address) return dad.defence(address, nd_slla{ mac = t.tn1.mac }) end,
	},
}

for _, row in ipairs(ADVERTISEMENTS) do
	row.clause = row.clause or VALIDATE
	test {
		id = "v6LC.3.1.4." .. row.part:sub(1, 1),
		title = "Validation of DAD Neighbor Advertisements - Part " .. row.part,
		role = "host",
		requires = requires(row, { VALIDATE, VALID_NA }),
		timeout = 60,
		run = function(t) interfere(t, row) end,
	}
end

-- A node that is not optimistic (RFC 4429) does not answer address resolution for its tentative address, and not
-- afterwards either: the question is forgotten.
local function ask_early(t, by_unicast)
	local trial = dad.start(t)
	t.tn1:send(dad.question(t.tn1, trial.address, by_unicast and trial.address or nil))
	dad.expect_silence(t, trial, "address resolution for a tentative address must not be answered")
	dad.expect_assigned(t, trial, dad.ANSWER, "a solicitation from a unicast address is no sign of a duplicate")
end

for part, title in pairs{
	A = "NUT receives NS (src == unicast)",
	B = "NUT receives NS (Src == unicast && Dst == NUT's tentative address)",
} do
	test {
		id = "v6LC.3.1.5." .. part,
		title = "Receiving Neighbor Solicitations for Address Resolution - Part " .. part .. ": " .. title,
		role = "host",
		requires = { dad.TRIED, dad.NO_ANSWER, dad.ANSWER },
		run = function(t) ask_early(t, part == "B") end,
	}
end
