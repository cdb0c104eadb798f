-- Hop-by-Hop and Destination Options: RFC 8200 section 4.2.
local options = {}

-- Option types that nobody uses, one for each action that the two highest bits ask for. The
-- list's own 17, 71, 135 and 199 (and 7 in its text) are half assigned by now; these are for
-- experiments (RFC 4727 section 3.6) and stay free.
options.SKIP = 0x1e
options.DISCARD = 0x5e
options.REPORT = 0x9e
options.REPORT_UNICAST = 0xde

options.ACTION = "RFC 8200 4.2 must"

-- An option of that type with `size` zero octets.
function options.unknown(kind, size)
	return opt_unknown{ type = kind, data = zeros(size) }
end

-- Padding that fills a header of 8 octets.
options.PADDING = padn{ data = zeros(4) }

return options
