using MPSec.Changes;
using MPSec.Features.Network;
using MPSec.Linux.Values;

namespace MPSec.Tests.Features.Network;

public sealed class NetworkDocumentTests
{
    private const string Whole = """
        {
          "version": 1,
          "paths": [
            {
              "interface": "path1",
              "name": "광케이블 1",
              "role": "primary",
              "mtu": 1400,
              "addresses": ["10.99.1.1/24", "2001:db8:1::1/64"],
              "nextHops": ["10.99.1.2", "2001:db8:1::2"],
              "table": 101,
              "rulePriority": 1001
            },
            { "interface": "wwan0", "name": "LTE", "role": "backup", "up": false, "addresses": ["10.99.2.1/24"], "table": 102 }
          ],
          "mptcp": { "enabled": true, "subflows": 8, "addAddrAccepted": 8, "endpoints": [{ "id": 2, "address": "10.99.1.1", "flags": ["signal"], "interface": "path1" }] },
          "settings": { "net.ipv4.ip_forward": "1", "net.ipv4.conf.path1.rp_filter": "2" },
          "more": [
            { "verb": "addRule", "priority": 500, "source": "192.0.2.0/24", "table": 77 },
            { "verb": "replaceRoute", "route": { "destination": "198.51.100.0/24", "table": 77, "interface": "path1", "nextHop": "10.99.1.2" } },
            { "verb": "replaceRoute", "route": { "destination": "203.0.113.0/24", "kind": "blackhole", "metric": 7 } }
          ]
        }
        """;

    /// <summary>A file as the first version of this format wrote it.</summary>
    private const string Old = """
        { "version": 1,
          "paths": [ { "interface": "path1", "addresses": ["10.99.1.1/24", "2001:db8:1::1/64"], "nextHops": ["10.99.1.2", "2001:db8:1::2"], "table": 101, "rulePriority": 1001 } ],
          "mptcp": { "enabled": true, "subflows": 8, "addAddrAccepted": 8, "endpoints": [ { "id": 2, "address": "10.99.1.1", "flags": ["signal"], "interface": "path1" } ] } }
        """;

    [Theory]
    [InlineData(Whole)]
    [InlineData(Old)]
    public void Parse_OwnText_GivesTheSameTextAgain(string json)
    {
        var text = NetworkDocument.Parse(json).ToJson();
        Assert.Equal(text, NetworkDocument.Parse(text).ToJson());
    }

    [Fact]
    public void Parse_WholeDocument_HasEveryField()
    {
        var document = NetworkDocument.Parse(Whole);
        Assert.Equal(("광케이블 1", NetworkPathRole.Primary, 1400u, true), (document.Paths[0].Name, document.Paths[0].Role, document.Paths[0].Mtu, document.Paths[0].Up));
        Assert.Equal((NetworkPathRole.Backup, false, 102u), (document.Paths[1].Role, document.Paths[1].Up, document.Paths[1].EffectivePriority));
        Assert.Equal(["net.ipv4.conf.path1.rp_filter", "net.ipv4.ip_forward"], document.Settings.Keys);
        Assert.Equal(
            [
                "ip rule add pref 500 from 192.0.2.0/24 table 77",
                "ip route replace 198.51.100.0/24 via 10.99.1.2 dev path1 table 77",
                "ip route replace blackhole 203.0.113.0/24 metric 7",
            ],
            document.More.Select(o => o.ToShellText()));
        Assert.All((string[])["gateway", "command", "isIPv6", "effectiveScope", "null"], word => Assert.DoesNotContain(word, document.ToJson(), StringComparison.Ordinal));
    }

    [Fact]
    public void Parse_OldDocument_LeavesEverythingNewAlone()
    {
        var document = NetworkDocument.Parse(Old);
        Assert.Equal((null, null, true, null), (document.Paths[0].Name, document.Paths[0].Role, document.Paths[0].Up, document.Paths[0].Mtu));
        Assert.Empty(document.Settings);
        Assert.Empty(document.More);
        Assert.DoesNotContain("settings", document.ToJson(), StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_MoreAsTheJournalWritesIt_IsTakenWithoutItsGateway()
    {
        var operation = new AddRule(GatewayName.Parse("elsewhere"), 7, IpPrefix.Parse("192.0.2.1/32"), 9);
        var document = NetworkDocument.Parse($$"""{ "version": 1, "more": [{{OperationJson.Write(operation)}}] }""");
        Assert.Equal(operation with { Gateway = GatewayName.Host }, Assert.Single(document.More));
    }

    [Theory]
    [InlineData("""[ { "interface": "a", "addresses": ["10.0.0.1/31"], "nextHops": ["10.0.0.0"], "table": 1 } ]""")]
    [InlineData("""[ { "interface": "a", "addresses": ["2001:db8::/127"], "nextHops": ["2001:db8::1"], "table": 252 } ]""")]
    [InlineData("""[ { "interface": "a", "addresses": ["10.0.0.1/32"] }, { "interface": "b", "addresses": ["10.0.0.2/24"] } ]""")]
    [InlineData("""[ { "interface": "a", "addresses": ["2001:db8::1/64"], "nextHops": ["fe80::1"], "table": 256, "rulePriority": 32765 } ]""")]
    [InlineData("""[ { "interface": "a", "addresses": ["169.254.7.1/16"], "mtu": 68 } ]""")]
    [InlineData("""[ { "interface": "a", "name": "B" }, { "interface": "b", "name": "ㄱ 1" } ]""")]
    [InlineData("""[ { "interface": "eth0.100", "name": "12345678901234567890123456789012" } ]""")]
    public void Parse_Unusual_IsSound(string paths) => Assert.Empty(NetworkDocument.Parse($$"""{ "version": 1, "paths": {{paths}} }""").Faults());

    [Theory]
    [MemberData(nameof(BadNetworkDocuments.All), MemberType = typeof(BadNetworkDocuments))]
    public void Parse_Faulty_SaysWhereAndWhatToDo(string json, string sentence)
    {
        var fault = Assert.Throws<FormatException>(() => NetworkDocument.Parse(json));
        Assert.Equal(sentence, fault.Message);
    }

    [Fact]
    public void Faults_OfADocumentMadeInCode_AreToldByPathAndField()
    {
        var document = NetworkDocument.Empty with
        {
            Paths = [new() { Interface = InterfaceName.Parse("a"), Name = " x", Mtu = 5, Addresses = [IpPrefix.Parse("10.0.0.0/24")] }, new() { Interface = InterfaceName.Parse("b"), RulePriority = 5 }],
        };
        Assert.Equal([("a", "name"), ("a", "addresses"), ("a", "mtu"), ("b", "rulePriority")], document.Faults().Select(f => (f.Path!, f.Field)));
    }

    [Fact]
    public void Parse_DeepOrLongOrOddText_IsRefusedAndNotThrownThrough()
    {
        foreach (var json in (string[])[new('[', 5000), "{\"version\": 1, \"more\": [" + string.Concat(Enumerable.Repeat("{\"verb\":", 40)), "\"", "{", "{\"version\": 1}{", "{\"version\": 1, \"paths\": [{\"interface\": {}}]}", "\u0000"])
        {
            Assert.StartsWith("file: ", Assert.Throws<FormatException>(() => NetworkDocument.Parse(json)).Message, StringComparison.Ordinal);
        }
    }
}
