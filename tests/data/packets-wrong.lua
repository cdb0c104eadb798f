-- Wrong on purpose, each in one field: the same look must see a fault in every one of them.
local nut = ip6{ src = "fe80::b1", dst = "fe80::1" }

capture(nut / echo_request{ checksum = 0x1234 })
capture(nut / udp{ dst_port = 9, checksum = 0x1234 } / "abc")
capture(nut / tcp{ dst_port = 80, checksum = 0x1234 })
capture(nut / udp{ dst_port = 9, length = 4 } / "abc")
capture(nut / ns{ target = "fe80::1", nd_slla{ length = 0, mac = "02:00:00:00:00:b1" } })
capture((nut / ra{ nd_prefix{ prefix = "2001:db8::" } }):truncate(60))
