-- One packet of each kind, right in every field: another program must see no fault in it. The
-- comment is what tshark has to call the frame's layers.
local function to(dst)
	return ip6{ src = "fe80::b1", dst = dst }
end
local nut = to("fe80::1")
local mac = "02:00:00:00:00:b1"
local quoted = nut / echo_request{ identifier = 1, data = zeros(2000) }

capture(nut / echo_request{ identifier = 7, sequence = 1, data = "odd" }, "ethertype:ipv6:icmpv6:data")
capture(nut / echo_reply{ identifier = 7, sequence = 1, data = zeros(56) }, "ethertype:ipv6:icmpv6:data")
capture(nut / no_next_header{ data = "ignored" }, "ethertype:ipv6:data")
capture(nut / udp{ dst_port = 9 } / "abc", "ethertype:ipv6:udp:data")
capture(nut / tcp{ dst_port = 80, sequence = 1, syn = true, option_bytes = hex"02 04 05 a0 01" }, "ethertype:ipv6:tcp")
capture(nut / (ip6{ src = "2001:db8::1", dst = "2001:db8::2" } / udp{ dst_port = 9 } / "inner"),
	"ethertype:ipv6:ipv6:udp:data")

-- Extension headers, padded and chained; the checksum of type 0 is over the final destination.
capture(nut / hop_by_hop{ router_alert{} } / echo_request{}, "ethertype:ipv6:ipv6.hopopts:icmpv6")
capture(nut / dst_options{ opt_unknown{ type = 0x1e, data = zeros(7) }, pad1{}, padn{ data = zeros(2) } }
	/ echo_request{}, "ethertype:ipv6:ipv6.dstopts:icmpv6")
capture(nut / routing{ addresses = { "2001:db8::1", "2001:db8::2" } } / echo_request{},
	"ethertype:ipv6:ipv6.routing:icmpv6")
capture(nut / routing_unknown{ routing_type = 253, segments_left = 0 } / echo_request{},
	"ethertype:ipv6:ipv6.routing:icmpv6")
capture(nut / hop_by_hop{} / dst_options{} / routing{ segments_left = 0 } / dst_options{} / udp{ dst_port = 9 },
	"ethertype:ipv6:ipv6.hopopts:ipv6.dstopts:ipv6.routing:ipv6.dstopts:udp")
capture(nut / fragment{ identification = 5 } / echo_request{}, "ethertype:ipv6:ipv6.fraghdr:icmpv6")

-- Fragments: tshark puts them together and finds the Echo Request in the last one.
for i, piece in ipairs(fragments(nut / hop_by_hop{} / echo_request{ data = zeros(3000) }, { mtu = 1280 })) do
	capture(piece, i < 3 and "ethertype:ipv6:ipv6.hopopts:ipv6.fraghdr:data"
		or "ethertype:ipv6:ipv6.hopopts:ipv6.fraghdr:icmpv6:data")
end

-- Errors with as much of the packet as fits.
capture(nut / dest_unreachable{ code = 4, invoking = invoking(quoted) }, "ethertype:ipv6:icmpv6:ipv6:icmpv6:data")
capture(nut / packet_too_big{ mtu = 1280, invoking = invoking(quoted) }, "ethertype:ipv6:icmpv6:ipv6:icmpv6:data")
capture(nut / time_exceeded{ code = 1, invoking = invoking(quoted) }, "ethertype:ipv6:icmpv6:ipv6:icmpv6:data")
capture(nut / param_problem{ code = 1, pointer = 6, invoking = invoking(quoted) },
	"ethertype:ipv6:icmpv6:ipv6:icmpv6:data")
capture(nut / icmp6{ type = 200, data = "experiment" }, "ethertype:ipv6:icmpv6")

-- Neighbor Discovery with every option.
capture(to("ff02::2") / rs{ nd_slla{ mac = mac } }, "ethertype:ipv6:icmpv6")
capture(to("ff02::1") / ra{
	managed = true, other = true, preference = 1,
	nd_prefix{ prefix = "2001:db8::" }, nd_slla{ mac = mac }, nd_mtu{ mtu = 1400 },
	nd_route_info{ prefix_length = 0, prefix = "::" }, nd_route_info{ prefix = "2001:db8:1::" },
	nd_route_info{ prefix_length = 96, prefix = "2001:db8:1::" },
	nd_rdnss{ addresses = { "2001:db8::53", "2001:db8::54" } },
	nd_dnssl{ names = { "test.example.com", "example.org" } },
}, "ethertype:ipv6:icmpv6")
capture(to(solicited_node("fe80::1")) / ns{ target = "fe80::1", nd_slla{ mac = mac }, nd_nonce{ nonce = "nonce!" } },
	"ethertype:ipv6:icmpv6")
capture(nut / na{ target = "fe80::b1", solicited = true, override = true, nd_tlla{ mac = mac } },
	"ethertype:ipv6:icmpv6")
capture(nut / redirect{ target = "fe80::b2", destination = "2001:db8::5", nd_tlla{ mac = mac },
	nd_redirected{ invoking = invoking(nut / udp{ dst_port = 9 } / zeros(24)) } }, -- a multiple of 8: tshark takes filling for a fault
	"ethertype:ipv6:icmpv6:ipv6:udp:data")

-- Multicast Listener Discovery.
local alert = hop_by_hop{ router_alert{} }
capture(to("ff02::1") / alert / mld_query{}, "ethertype:ipv6:ipv6.hopopts:icmpv6")
capture(to("ff02::5") / alert / mld_report{ group = "ff02::5" }, "ethertype:ipv6:ipv6.hopopts:icmpv6")
capture(to("ff02::2") / alert / mld_done{ group = "ff02::5" }, "ethertype:ipv6:ipv6.hopopts:icmpv6")
capture(to("ff02::5") / alert / mld2_query{ group = "ff02::5", sources = { "2001:db8::7", "2001:db8::8" } },
	"ethertype:ipv6:ipv6.hopopts:icmpv6")
capture(to("ff02::16") / alert / mld2_report{
	mld2_record{ group = "ff02::5" },
	mld2_record{ record_type = 1, group = "ff02::6", sources = { "2001:db8::7" } },
}, "ethertype:ipv6:ipv6.hopopts:icmpv6")
