-- Section 3 of the Core Protocols list: addresses from Prefix Information options, RFC 4862 section 5.5.3.
local autoconf = use "autoconf"
local dad = use "dad"
local echo = use "echo"
local setup = use "setup"
local router = use "router"
local timing = use "timing"

local X, Y = setup.PREFIX, "2001:db8:0:c::"

-- The option of the list: 20 seconds, so that a test sees the end of what it should not have begun.
local function option(fields)
	local all = { prefix = X, valid_lifetime = 20, preferred_lifetime = 20 }
	for name, value in pairs(fields or {}) do
		all[name] = value
	end
	return nd_prefix(all)
end

-- An address of the prefix must be tried. One that is there all the same has been left out, because its identifier
-- was tried in the link-local address: that was allowed once. Returns the trial.
local function expect_tried(t, prefix_text, clause)
	local why = string.format("the NUT must try an address of the prefix %s/64", prefix_text)
	local trial = dad.expect_tried(t, prefix(prefix_text .. "/64"), dad.FORM,
		{ level = "MAY", clause = clause, why = why })
	if not trial then
		local untried = eui64(prefix_text, t.nut.mac)
		t.tn1:send(dad.question(t.tn1, untried))
		t:expect_none(na{ target = untried }, { during = echo.SILENCE, clause = dad.EACH,
			why = "the NUT has the address " .. untried .. ", which it did not try" })
		t:check(false, why, { clause = clause })
	end
	return trial
end

-- v6LC.3.2.1: every address is tried, whatever prefix it has, and then defended.
for _, row in ipairs{
	{
		part = "A: Unicast Autoconfigured Address - Global", prefix = X,
	},
	{
		part = "B: Unicast Autoconfigured Address Prefix ending in zero valued fields", prefix = "8000::",
		clause = "RFC 4291 2.4 must",
	},
	{
		part = "C: Unicast Autoconfigured Address Site-Local", prefix = "fec0::", clause = "RFC 4291 2.5.7 must",
	},
} do
	test {
		id = "v6LC.3.2.1." .. row.part:sub(1, 1),
		title = "Global Address Autoconfiguration and DAD - Part " .. row.part,
		role = "host",
		requires = { dad.TRIED, dad.EACH, dad.ANSWER, autoconf.PROCESSING, row.clause },
		run = function(t)
			t.tr1:send(ip6{ src = t.tr1.link_local, dst = "ff02::1" } / router.advertisement{
				prefix = nd_prefix{ prefix = row.prefix, valid_lifetime = 40, preferred_lifetime = 20 },
			})
			local trial = expect_tried(t, row.prefix, row.clause or autoconf.PROCESSING)
			dad.expect_period(t, trial)
			dad.expect_defended(t, trial.address)
		end,
	}
end

test {
	id = "v6LC.3.2.4.A",
	title = "Prefix-Information Option Processing (Hosts Only) - Part A: "
		.. "Router Advertisement with multiple Prefix Options",
	role = "host",
	requires = { autoconf.PROCESSING, dad.ANSWER, autoconf.DEPRECATED, autoconf.INVALID, "RFC 4443 4.2 MUST" },
	timeout = 90,
	run = function(t)
		local addresses = autoconf.addresses(t)
		addresses:advertise(t.tr1, option(), option{ prefix = Y, valid_lifetime = 40 })
		addresses:expect_formed(X, Y)

		-- Each has the lifetimes of its own prefix.
		addresses:wait_until_last_moment(X, "valid")
		addresses:expect_valid(X)
		addresses:wait_until_over(X, "valid")
		addresses:expect_invalid(X)
		addresses:expect_valid(Y)
		addresses:wait_until_last_moment(Y, "valid")
		addresses:expect_valid(Y)
		addresses:wait_until_over(Y, "valid")
		addresses:expect_invalid(Y)
	end,
}

-- Options of which no address may come, each by another rule.
for _, row in ipairs{
	{ part = "B: Autonomous Flag not set", fields = { autonomous = 0 }, why = "the A flag is not set" },
	{
		part = "D: preferred lifetime > valid lifetime", fields = { preferred_lifetime = 30 },
		why = "the preferred lifetime is greater than the valid one",
	},
	{
		-- The list's title says more than 128 bits, which is no prefix length at all; its packet has 128.
		part = "E: prefix length > 128 bits", fields = { prefix_length = 128 }, clause = autoconf.LENGTH,
		why = "a prefix of 128 bits leaves no place for an identifier",
	},
	{
		part = "F: prefix length < 64 bits", fields = { prefix_length = 0 }, clause = autoconf.LENGTH,
		why = "a prefix of 0 bits and an identifier of 64 bits make no address",
	},
	{
		part = "G: (64 bits < prefix length < 128 bits)", fields = { prefix_length = 120 }, clause = autoconf.LENGTH,
		why = "a prefix of 120 bits and an identifier of 64 bits make no address",
	},
	{
		-- The list leaves the preferred lifetime at 20 s, so that the rule of part D would do.
		part = "H: Valid Lifetime is zero", fields = { valid_lifetime = 0, preferred_lifetime = 0 },
		why = "an address is formed only if the valid lifetime is not zero",
	},
} do
	local clause = row.clause or autoconf.PROCESSING
	test {
		id = "v6LC.3.2.4." .. row.part:sub(1, 1),
		title = "Prefix-Information Option Processing (Hosts Only) - Part " .. row.part,
		role = "host",
		requires = { autoconf.PROCESSING, dad.ANSWER, "RFC 4443 4.2 MUST", row.clause },
		run = function(t)
			local addresses = autoconf.addresses(t)
			addresses:advertise(t.tr1, option(row.fields))
			addresses:expect_none_formed(X, clause, row.why)

			-- A node that forms no addresses at all would have passed so far.
			addresses:advertise(t.tr1, option())
			addresses:expect_formed(X)
		end,
	}
end

test {
	id = "v6LC.3.2.4.C",
	title = "Prefix-Information Option Processing (Hosts Only) - Part C: prefix is set to link-local prefix",
	role = "host",
	requires = { autoconf.PROCESSING, dad.ANSWER, "RFC 4443 4.2 MUST" },
	timeout = 60,
	run = function(t)
		local addresses = autoconf.addresses(t)
		addresses:advertise(t.tr1, option{ prefix = "fe80::" })
		local heard = t:now()
		addresses:expect_none_formed("fe80::", autoconf.PROCESSING, "the prefix is the link-local one")

		-- Nor do the lifetimes of the option apply to the address that is there, which is never timed out.
		t:wait(heard + timing.latest(20) - t:now())
		t.tr1:send(dad.question(t.tr1, t.nut.link_local))
		dad.expect_answer(t, t.tr1, t.nut.link_local, nd_tlla{ mac = t.nut.mac }, autoconf.PROCESSING,
			"the link-local address is never timed out")

		addresses:advertise(t.tr1, option())
		addresses:expect_formed(X)
	end,
}

test {
	id = "v6LC.3.2.4.I",
	title = "Prefix-Information Option Processing (Hosts Only) - Part I: Invalid RA with Hop Limit 254",
	role = "host",
	requires = { "RFC 4861 6.1.2 MUST", autoconf.PROCESSING, dad.ANSWER, "RFC 4443 4.2 MUST" },
	run = function(t)
		local addresses = autoconf.addresses(t)
		t.tr1:send(ip6{ src = t.tr1.link_local, dst = "ff02::1", hop_limit = 254 }
			/ router.advertisement{ prefix = option() })
		addresses:expect_none_formed(X, "RFC 4861 6.1.2 MUST",
			"an advertisement with Hop Limit 254 must be discarded")
		addresses:advertise(t.tr1, option())
		addresses:expect_formed(X)
	end,
}

test {
	id = "v6LC.3.2.4.J",
	title = "Prefix-Information Option Processing (Hosts Only) - Part J: Valid Lifetime is 0xffffffff",
	role = "host",
	requires = { autoconf.PROCESSING, dad.ANSWER, autoconf.DEPRECATED, "RFC 4443 4.2 MUST" },
	timeout = 60,
	run = function(t)
		local addresses = autoconf.addresses(t)
		addresses:advertise(t.tr1, option{ valid_lifetime = router.INFINITY })
		addresses:expect_formed(X)
		addresses:wait_until_over(X, "preferred")
		addresses:expect_valid(X, "a valid lifetime of all ones is for ever")
	end,
}
