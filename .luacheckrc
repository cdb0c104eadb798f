-- Test scripts run in an environment of their own: suites/script.h says what is in it.
std = {
	read_globals = {
		"assert", "error", "ipairs", "next", "pairs", "select", "tonumber", "tostring", "type",
		"math", "string", "table", "utf8",
		-- declarations
		"test", "use",
		-- matchers
		"absent", "any", "mask", "not_equal", "one_of", "prefix", "range",
		-- addresses
		"eui64", "in_prefix", "multicast_mac", "solicited_node",
		-- packets and bytes
		"bytes", "fragments", "hex", "invoking", "only", "parse", "reassemble", "strict", "zeros",
		-- layers
		"dest_unreachable", "dst_options", "echo_reply", "echo_request", "ether", "fragment", "hop_by_hop",
		"icmp6", "ip6", "mld2_report", "mld_report", "na", "no_next_header", "ns", "packet_too_big",
		"param_problem", "ra", "raw", "redirect", "routing", "routing_unknown", "rs", "tcp", "time_exceeded",
		"trailer", "udp",
		-- options and records
		"mld2_record",
		"nd_dnssl", "nd_mtu", "nd_nonce", "nd_prefix", "nd_rdnss", "nd_redirected", "nd_route_info", "nd_slla",
		"nd_tlla", "nd_unknown", "opt_unknown", "pad1", "padn", "router_alert",
	},
}
max_line_length = 120
