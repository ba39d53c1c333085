namespace MPSec.Tests.Features.Network;

/// <summary>Documents that must be refused, each with the sentence that says so.</summary>
public static class BadNetworkDocuments
{
    /// <summary>JSON and sentence.</summary>
    public static TheoryData<string, string> All
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var (json, sentence) in s_whole.Concat(s_paths.Select(p => ($$"""{ "version": 1, "paths": [ {{p.Json}} ] }""", p.Sentence)))
                .Concat(s_mptcp.Select(m => ($$"""{ "version": 1, "paths": [ { "interface": "eth1", "addresses": ["10.0.1.1/24"] } ], "mptcp": { "enabled": true, {{m.Json}} } }""", m.Sentence)))
                .Concat(s_rest.Select(r => ($$"""{ "version": 1, {{r.Json}} }""", r.Sentence))))
            {
                data.Add(json, sentence);
            }

            return data;
        }
    }

    private static readonly (string Json, string Sentence)[] s_whole =
    [
        ("", "file: is empty; 'mpsec network export' writes one to start from"),
        ("null", "file: is empty; 'mpsec network export' writes one to start from"),
        ("[]", """file: must be an object such as {"version": 1, "paths": []}; 'mpsec network export' writes one to start from"""),
        ("7", """file: must be an object such as {"version": 1, "paths": []}; 'mpsec network export' writes one to start from"""),
        ("{", "file: is no JSON, line 1: Expected depth to be zero at the end of the JSON payload. There is an open JSON object or array that should be closed"),
        ("{}", "file: version is missing"),
        ("""{ "version": 2 }""", "version: this program reads version 1, the file has 2"),
        ("""{ "version": "1" }""", "file: version: must be the number 1"),
        ("""{ "version": 1, "colour": "red" }""", "file: colour: is no field of this format; take it out"),
        ("""{ "version": 1, "paths": [], "paths": [] }""", "file: paths: is there twice; take one out"),
        ("""{ "version": 1, "paths": {} }""", "file: paths: must be a list of paths"),
        ("""{ "version": 1, "paths": [ null ] }""", "paths: must be a list of at most 64 paths, none of them null"),
        ("""{ "version": 1, "paths": [ 7 ] }""", """file: paths[0]: must be an object such as {"interface": "eth0"}"""),
    ];

    private static readonly (string Json, string Sentence)[] s_paths =
    [
        ("""{ "name": "a" }""", "file: paths[0]: interface is missing"),
        ("""{ "interface": "a", "adresses": [] }""", "file: paths[0].adresses: is no field of this format; take it out"),
        ("""{ "interface": null }""", "file: paths[0].interface: interface name: is empty; give a name such as eth0"),
        ("""{ "interface": 7 }""", "file: paths[0].interface: must be a name such as eth0"),
        ("""{ "interface": "" }""", "file: paths[0].interface: interface name: is empty; give a name such as eth0"),
        ("""{ "interface": "-x" }""", "file: paths[0].interface: interface name: must not begin with a hyphen"),
        ("""{ "interface": ".." }""", "file: paths[0].interface: interface name: . and .. are reserved"),
        ("""{ "interface": "a/b" }""", "file: paths[0].interface: interface name: only printable ASCII without spaces, / and : is allowed"),
        ("""{ "interface": "a b" }""", "file: paths[0].interface: interface name: only printable ASCII without spaces, / and : is allowed"),
        ("""{ "interface": "a\nb" }""", "file: paths[0].interface: interface name: only printable ASCII without spaces, / and : is allowed"),
        ("""{ "interface": "이더넷" }""", "file: paths[0].interface: interface name: only printable ASCII without spaces, / and : is allowed"),
        ("""{ "interface": "abcdefghijklmnop" }""", "file: paths[0].interface: interface name: is longer than 15 characters"),
        ("""{ "interface": "a" }, { "interface": "a" }""", "paths: interface a occurs more than once; put everything about it into one path"),
        ("""{ "interface": "a", "name": "" }""", "path a: name: must have 1 to 32 characters"),
        ("""{ "interface": "a", "name": "123456789012345678901234567890123" }""", "path a: name: must have 1 to 32 characters"),
        ("""{ "interface": "a", "name": "a\u0007b" }""", "path a: name: must have printable characters only"),
        ("""{ "interface": "a", "name": "a\u202eb" }""", "path a: name: must have printable characters only"),
        ("""{ "interface": "a", "name": " LTE" }""", "path a: name: must not begin or end with a blank"),
        ("""{ "interface": "a", "name": 7 }""", "file: paths[0].name: must be a text of 1 to 32 characters"),
        ("""{ "interface": "a", "name": "LTE" }, { "interface": "b", "name": "lte" }""", "path b: name lte is used by path a too; give each path its own"),
        ("""{ "interface": "a", "name": "b" }, { "interface": "b" }""", "path a: name b is the interface of another path; choose another"),
        ("""{ "interface": "a", "role": "master" }""", "file: paths[0].role: must be one of primary, bonded, backup, off"),
        ("""{ "interface": "a", "role": 1 }""", "file: paths[0].role: must be one of primary, bonded, backup, off"),
        ("""{ "interface": "a", "role": "primary" }""", "path a: role primary needs a next hop for the default route of table main; name it in nextHops"),
        ("""{ "interface": "a", "role": "primary", "addresses": ["10.0.1.1/24"], "nextHops": ["10.0.1.2"] }, { "interface": "b", "role": "primary", "addresses": ["10.0.2.1/24"], "nextHops": ["10.0.2.2"] }""", "path b: role primary belongs to path a already; only one path can have the default route of table main"),
        ("""{ "interface": "a", "up": 1 }""", "file: paths[0].up: must be true or false"),
        ("""{ "interface": "a", "mtu": 67 }""", "path a: mtu 67 is out of range; it must be 68 to 65535"),
        ("""{ "interface": "a", "mtu": 65536 }""", "path a: mtu 65536 is out of range; it must be 68 to 65535"),
        ("""{ "interface": "a", "mtu": -1 }""", "file: paths[0].mtu: must be a whole number from 68 to 65535"),
        ("""{ "interface": "a", "mtu": 1500.5 }""", "file: paths[0].mtu: must be a whole number from 68 to 65535"),
        ("""{ "interface": "a", "mtu": 1279, "addresses": ["2001:db8::1/64"] }""", "path a: mtu 1279 is too small for IPv6, which needs 1280; raise it or take the IPv6 addresses out"),
        ("""{ "interface": "a", "addresses": null }""", """file: paths[0].addresses: must be a list such as ["192.0.2.1/24"]"""),
        ("""{ "interface": "a", "addresses": "10.0.0.1/24" }""", """file: paths[0].addresses: must be a list such as ["192.0.2.1/24"]"""),
        ("""{ "interface": "a", "addresses": [null] }""", "path a: addresses and nextHops must be lists without null"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1"] }""", "file: paths[0].addresses[0]: prefix: the length is missing; write it as 192.0.2.1/24"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/33"] }""", "file: paths[0].addresses[0]: prefix: the length must be a whole number from 0 to 32"),
        ("""{ "interface": "a", "addresses": ["10.0.1/24"] }""", "file: paths[0].addresses[0]: prefix: the address is not IPv4 (a.b.c.d) or IPv6"),
        ("""{ "interface": "a", "addresses": ["010.0.0.1/24"] }""", "file: paths[0].addresses[0]: prefix: must be an address with its length such as 192.0.2.1/24 or 2001:db8::1/64"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/0"] }""", "path a: address 10.0.0.1/0 has the prefix length 0, which would be the whole world; give the network's length such as 24 or 64"),
        ("""{ "interface": "a", "addresses": ["10.0.0.0/24"] }""", "path a: address 10.0.0.0/24 is the network address of 10.0.0.0/24; write the interface's own address"),
        ("""{ "interface": "a", "addresses": ["10.0.0.255/24"] }""", "path a: address 10.0.0.255/24 is the broadcast address of 10.0.0.0/24; write the interface's own address"),
        ("""{ "interface": "a", "addresses": ["2001:db8::/64"] }""", "path a: address 2001:db8::/64 is the network address of 2001:db8::/64; write the interface's own address"),
        ("""{ "interface": "a", "addresses": ["0.0.0.0/8"] }""", "path a: address 0.0.0.0/8 is unspecified; write the interface's own address"),
        ("""{ "interface": "a", "addresses": ["::/64"] }""", "path a: address ::/64 is unspecified; write the interface's own address"),
        ("""{ "interface": "a", "addresses": ["127.0.0.1/8"] }""", "path a: address 127.0.0.1/8 is loopback; write the interface's own address"),
        ("""{ "interface": "a", "addresses": ["::1/128"] }""", "path a: address ::1/128 is loopback; write the interface's own address"),
        ("""{ "interface": "a", "addresses": ["224.0.0.5/24"] }""", "path a: address 224.0.0.5/24 is multicast; write the interface's own address"),
        ("""{ "interface": "a", "addresses": ["ff02::1/64"] }""", "path a: address ff02::1/64 is multicast; write the interface's own address"),
        ("""{ "interface": "a", "addresses": ["255.255.255.255/32"] }""", "path a: address 255.255.255.255/32 is the broadcast address; write the interface's own address"),
        ("""{ "interface": "a", "addresses": ["fe80::1/64"] }""", "path a: address fe80::1/64 is link-local, which the kernel gives by itself; take it out"),
        ("""{ "interface": "a", "addresses": ["::ffff:10.0.0.1/120"] }""", "path a: address ::ffff:10.0.0.1/120 is an IPv4 address in IPv6 writing; write the interface's own address"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24", "10.0.0.1/25"] }""", "path a: address 10.0.0.1 is there twice; take one out"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"] }, { "interface": "b", "addresses": ["10.0.0.1/32"] }""", "path b: address 10.0.0.1 belongs to path a already; each address can be in one place only"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"] }, { "interface": "b", "addresses": ["10.0.0.2/24"] }""", "path b: network 10.0.0.0/24 overlaps 10.0.0.0/24 of path a; the kernel could not tell by which of the two a neighbour is reached, so give each path a network of its own"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/16"] }, { "interface": "b", "addresses": ["10.0.9.2/24"] }""", "path b: network 10.0.9.0/24 overlaps 10.0.0.0/16 of path a; the kernel could not tell by which of the two a neighbour is reached, so give each path a network of its own"),
        ("""{ "interface": "a", "addresses": ["2001:db8::1/64"] }, { "interface": "b", "addresses": ["2001:db8::2/64"] }""", "path b: network 2001:db8::/64 overlaps 2001:db8::/64 of path a; the kernel could not tell by which of the two a neighbour is reached, so give each path a network of its own"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["zzz"] }""", "file: paths[0].nextHops[0]: must be an address such as 192.0.2.1 or 2001:db8::1, without zone or port"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["10.9"] }""", "file: paths[0].nextHops[0]: must be an address such as 192.0.2.1 or 2001:db8::1, without zone or port"),
        ("""{ "interface": "a", "addresses": ["2001:db8::1/64"], "nextHops": ["fe80::1%2"] }""", "file: paths[0].nextHops[0]: must be an address such as 192.0.2.1 or 2001:db8::1, without zone or port"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["10.0.1.1"] }""", "path a: next hop 10.0.1.1 lies in no prefix of the path's addresses; correct it, or the prefix length"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["10.0.0.1"] }""", "path a: next hop 10.0.0.1 is the path's own address; name the router at the other end"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["10.0.0.255"] }""", "path a: next hop 10.0.0.255 is the broadcast address of 10.0.0.0/24; name the address of a router"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["10.0.0.0"] }""", "path a: next hop 10.0.0.0 is the network address of 10.0.0.0/24; name the address of a router"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["224.0.0.1"] }""", "path a: next hop 224.0.0.1 is multicast; name the address of a router"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["2001:db8::1"] }""", "path a: next hop 2001:db8::1 is IPv6, and the path has no IPv6 address; add one or take the next hop out"),
        ("""{ "interface": "a", "addresses": ["2001:db8::1/64"], "nextHops": ["10.0.0.1"] }""", "path a: next hop 10.0.0.1 is IPv4, and the path has no IPv4 address; add one or take the next hop out"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["10.0.0.2", "10.0.0.3"] }""", "path a: nextHops may have one address per family; 10.0.0.2 and 10.0.0.3 are of one"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["10.0.0.2"] }, { "interface": "b", "addresses": ["10.0.0.2/32"] }""", "path a: next hop 10.0.0.2 is an address of path b, so of this gateway itself; name the router there"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "table": 0 }""", "path a: table 0 belongs to the kernel; choose another such as 101"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "table": 254 }""", "path a: table 254 belongs to the kernel; choose another such as 101"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "table": 4294967296 }""", "file: paths[0].table: must be a whole number from 1 to 4294967295, but for 253 to 255"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "table": 40000 }""", "path a: give a rulePriority of 1 to 32765, the table's number is too large to be one"),
        ("""{ "interface": "a", "table": 101 }""", "path a: table 101 has no use without addresses; list those whose packets it is for, or take it out"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "rulePriority": 5 }""", "path a: rulePriority needs a table; add one such as 101, or take it out"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "table": 9, "rulePriority": 0 }""", "path a: rulePriority must be 1 to 32765, before the kernel's own rules"),
        ("""{ "interface": "a", "addresses": ["10.0.0.1/24"], "table": 9, "rulePriority": 32766 }""", "path a: rulePriority must be 1 to 32765, before the kernel's own rules"),
        ("""{ "interface": "a", "addresses": ["10.0.1.1/24"], "table": 9 }, { "interface": "b", "addresses": ["10.0.2.1/24"], "table": 9, "rulePriority": 10 }""", "path b: table 9 is used by path a too; each path needs its own"),
        ("""{ "interface": "a", "addresses": ["10.0.1.1/24"], "table": 9 }, { "interface": "b", "addresses": ["10.0.2.1/24"], "table": 10, "rulePriority": 9 }""", "path b: rulePriority 9 is used by path a too; each path needs its own, or the order of their rules is chance"),
    ];

    private static readonly (string Json, string Sentence)[] s_mptcp =
    [
        ("""
            "subflows": 9, "addAddrAccepted": 8
            """, "mptcp: limits must be 0 to 8"),
        ("""
            "subflows": 8
            """, "mptcp: give both subflows and addAddrAccepted, or neither"),
        ("""
            "subflows": -1, "addAddrAccepted": 8
            """, "file: mptcp.subflows: must be a whole number from 0 to 8"),
        ("""
            "endpoints": [ null ]
            """, "mptcp: endpoints must be a list without null"),
        ("""
            "endpoints": [ { "id": 1, "flags": ["signal"] } ]
            """, "file: mptcp.endpoints[0]: address is missing"),
        ("""
            "endpoints": [ { "id": 256, "address": "10.0.1.1", "flags": ["signal"] } ]
            """, "file: mptcp.endpoints[0].id: must be a whole number from 1 to 255"),
        ("""
            "endpoints": [ { "id": 0, "address": "10.0.1.1", "flags": ["signal"] } ]
            """, "mptcp: endpoint 0: an endpoint's id must be 1 to 255"),
        ("""
            "endpoints": [ { "id": 1, "address": "10.0.1.1", "flags": [] } ]
            """, """mptcp: endpoint 1 needs flags, such as ["signal"]"""),
        ("""
            "endpoints": [ { "id": 1, "address": "10.0.1.1", "flags": ["implicit"] } ]
            """, "file: mptcp.endpoints[0].flags[0]: must be one of signal, subflow, backup, fullmesh, laminar"),
        ("""
            "endpoints": [ { "id": 1, "address": "10.0.1.1", "flags": ["signal, backup"] } ]
            """, "file: mptcp.endpoints[0].flags[0]: must be one of signal, subflow, backup, fullmesh, laminar"),
        ("""
            "endpoints": [ { "id": 1, "address": "10.0.1.1", "flags": ["signal", "signal"] } ]
            """, "mptcp: endpoint 1: a flag is there twice; take one out"),
        ("""
            "endpoints": [ { "id": 1, "address": "10.0.1.1", "flags": ["signal", "fullmesh"] } ]
            """, "mptcp: endpoint 1: signal and fullmesh exclude each other"),
        ("""
            "endpoints": [ { "id": 1, "address": "10.0.1.1", "flags": ["subflow"], "port": 99 } ]
            """, "mptcp: endpoint 1: a port needs the flag signal"),
        ("""
            "endpoints": [ { "id": 1, "address": "10.0.1.1", "flags": ["signal"], "port": 0 } ]
            """, "mptcp: endpoint 1: port must be 1 to 65535; leave it out for none"),
        ("""
            "endpoints": [ { "id": 1, "address": "224.0.0.1", "flags": ["signal"] } ]
            """, "mptcp: endpoint 1: address 224.0.0.1 is multicast; name an address of the gateway"),
        ("""
            "endpoints": [ { "id": 1, "address": "fe80::1", "flags": ["signal"] } ]
            """, "mptcp: endpoint 1: address fe80::1 is link-local, which no other network reaches; name a global one"),
        ("""
            "endpoints": [ { "id": 1, "address": "10.0.1.1", "flags": ["signal"] }, { "id": 1, "address": "10.0.2.1", "flags": ["signal"] } ]
            """, "mptcp: endpoint id 1 occurs more than once; give each its own"),
        ("""
            "endpoints": [ { "id": 1, "address": "10.0.1.1", "flags": ["signal"] }, { "id": 2, "address": "10.0.1.1", "flags": ["subflow"] } ]
            """, "mptcp: endpoint address 10.0.1.1 occurs more than once; one endpoint can have several flags"),
        ("""
            "endpoints": [ { "id": 1, "address": "10.0.1.1", "flags": ["signal"], "interface": "eth2" } ]
            """, "mptcp: endpoint 1: interface eth2 does not have 10.0.1.1, path eth1 has it; correct one of the two"),
        ($"\"endpoints\": [ {string.Join(", ", Enumerable.Range(1, 9).Select(i => $$"""{ "id": {{i}}, "address": "10.0.{{i}}.7", "flags": ["subflow"] }"""))} ]", "mptcp: 9 endpoints have the flag subflow, and the kernel takes 8; take it from some"),
    ];

    private static readonly (string Json, string Sentence)[] s_rest =
    [
        ("""
            "mptcp": { "enabled": "yes" }
            """, "file: mptcp.enabled: must be true or false"),
        ("""
            "settings": [ "net.ipv4.ip_forward" ]
            """, """file: settings: must be an object of names and texts such as {"net.ipv4.ip_forward": "1"}"""),
        ("""
            "settings": { "kernel.panic": "1" }
            """, "settings: 'kernel.panic': setting: the name must begin with net. and have at most 200 characters"),
        ("""
            "settings": { "net.ipv4/../../kernel": "1" }
            """, "settings: 'net.ipv4/../../kernel': setting: a part of the name is empty"),
        ("""
            "settings": { "net.mptcp.enabled": "1" }
            """, "settings: net.mptcp.enabled is written as mptcp.enabled in this file; move it there"),
        ("""
            "settings": { "net.ipv4.ip_forward": "1\n2" }
            """, "settings: setting net.ipv4.ip_forward: the value must be one line of 1 to 1,000 printable characters"),
        ("""
            "settings": { "net.ipv4.ip_forward": null }
            """, "settings: setting net.ipv4.ip_forward: the value must be one line of 1 to 1,000 printable characters"),
        ("""
            "settings": { "net.ipv4.ip_forward": 1 }
            """, "file: settings['net.ipv4.ip_forward']: must be a text such as \"1\""),
        ("""
            "more": { }
            """, """file: more: must be a list of operations such as {"verb": "addRule", …}"""),
        ("""
            "more": [ null ]
            """, "more: must be a list of at most 500 operations, none of them null"),
        ("""
            "more": [ { "verb": "setLinkState", "interface": "a", "up": false } ]
            """, "file: more[0]: verb: must be one of addRule, replaceRoute, setShaper"),
        ("""
            "more": [ { "verb": "addRule", "priority": 7, "table": 9 } ]
            """, "file: more[0]: addRule: source is missing"),
        ("""
            "more": [ { "verb": "addRule", "priority": 40000, "source": "192.0.2.1/32", "table": 9 } ]
            """, "file: more[0]: addRule: rule priority: must be 1 to 32765, before the kernel's own rules"),
        ("""
            "more": [ { "verb": "addRule", "priority": 7, "source": null, "table": 9 } ]
            """, "file: more[0]: source: must not be null; give it a value or leave it out"),
        ("""
            "more": [ { "verb": "addRule", "priority": 7, "source": "192.0.2.1/32", "table": 9, "mark": 1 } ]
            """, "file: more[0]: addRule: mark: is no field of this format; take it out"),
        ("""
            "more": [ { "verb": "replaceRoute", "route": { "destination": "192.0.2.1/24", "kind": "blackhole" } } ]
            """, "file: more[0]: replaceRoute: route destination: 192.0.2.1/24 has host bits; write 192.0.2.0/24"),
        ("""
            "more": [ { "verb": "replaceRoute", "route": { "destination": null, "kind": "blackhole" } } ]
            """, "file: more[0]: destination: must not be null; give it a value or leave it out"),
        ("""
            "more": [ { "verb": "replaceRoute", "route": { "kind": "blackhole" } } ]
            """, "file: more[0]: replaceRoute: route must be an object with a destination"),
        ("""
            "more": [ { "verb": "addRule", "priority": 7, "source": "192.0.2.1/32", "table": 9 }, { "verb": "addRule", "priority": 7, "source": "192.0.2.1/32", "table": 9 } ]
            """, "more: the rule from 192.0.2.1/32 to table 9 is there twice; take one out"),
        ("""
            "more": [ { "verb": "replaceRoute", "route": { "destination": "192.0.2.0/24", "kind": "blackhole" } }, { "verb": "replaceRoute", "route": { "destination": "192.0.2.0/24", "kind": "unreachable" } } ]
            """, "more: route 192.0.2.0/24 in table 254 with metric 0 is there twice; take one out"),
        ("""
            "paths": [ { "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["10.0.0.2"], "table": 9 } ], "more": [ { "verb": "replaceRoute", "route": { "destination": "0.0.0.0/0", "interface": "a", "nextHop": "10.0.0.3", "table": 9 } } ]
            """, "more: route 0.0.0.0/0 in table 9 is what path a sets differently; change the path, or give the route another table or metric"),
        ("""
            "more": [ { "verb": "setShaper", "interface": "a", "rateBitsPerSecond": 1, "burstBytes": 2000, "limitBytes": 4000 } ]
            """, "file: more[0]: setShaper: shaper rate: must be 8 kbit/s to 100 Gbit/s"),
    ];
}
