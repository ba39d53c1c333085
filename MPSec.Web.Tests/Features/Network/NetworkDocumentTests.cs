using MPSec.Features.Network;
using MPSec.Linux.Values;

namespace MPSec.Tests.Features.Network;

public sealed class NetworkDocumentTests
{
    private const string Good = """
        { "version": 1,
          "paths": [ { "interface": "path1", "addresses": ["10.99.1.1/24", "2001:db8:1::1/64"], "nextHops": ["10.99.1.2", "2001:db8:1::2"], "table": 101, "rulePriority": 1001 } ],
          "mptcp": { "enabled": true, "subflows": 8, "addAddrAccepted": 8, "endpoints": [ { "id": 2, "address": "10.99.1.1", "flags": ["signal"], "interface": "path1" } ] } }
        """;

    [Fact]
    public void Parse_OwnText_GivesTheSameTextAgain()
    {
        var text = NetworkDocument.Parse(Good).ToJson();
        Assert.Equal(text, NetworkDocument.Parse(text).ToJson());
    }

    [Fact]
    public void ToPlan_PathOfBothFamilies_ReadsAsTheseCommands()
    {
        var plan = NetworkDocument.Parse(Good).ToPlan(GatewayName.Parse("g"));
        Assert.Equal(
            """
            ip -n g address add 10.99.1.1/24 dev path1
            ip -n g address add 2001:db8:1::1/64 dev path1
            ip -n g link set dev path1 up
            ip -n g rule add pref 1001 from 10.99.1.1 table 101
            ip -n g route replace 10.99.1.0/24 dev path1 src 10.99.1.1 table 101
            ip -n g route replace default via 10.99.1.2 dev path1 table 101
            ip -n g route replace unreachable default metric 4278198272 table 101
            """.Split('\n').Take(7),
            plan.Commands.Take(7).Select(c => c.Replace(" nodad", "", StringComparison.Ordinal)));
        Assert.Contains(plan.Commands, c => c.Contains("2001:db8:1::1", StringComparison.Ordinal) && c.Contains("rule", StringComparison.Ordinal));
        Assert.Contains(plan.Commands, c => c.Contains("mptcp endpoint add", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("", "file")]
    [InlineData("null", "file")]
    [InlineData("[]", "$")]
    [InlineData("""{ "version": 2 }""", "version")]
    [InlineData("""{ "version": 1, "colour": "red" }""", "colour")]
    [InlineData("""{ "version": 1, "paths": [ { "interface": "-x" } ] }""", "interface")]
    [InlineData("""{ "version": 1, "paths": [ { "interface": "a", "addresses": ["10.0.0.1"] } ] }""", "prefix")]
    [InlineData("""{ "version": 1, "paths": [ { "interface": "a", "addresses": ["10.0.0.1/33"] } ] }""", "prefix")]
    [InlineData("""{ "version": 1, "paths": [ { "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["zzz"] } ] }""", "address")]
    [InlineData("""{ "version": 1, "paths": [ { "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["10.0.1.1"] } ] }""", "next hop 10.0.1.1")]
    [InlineData("""{ "version": 1, "paths": [ { "interface": "a", "addresses": ["10.0.0.1/24"], "nextHops": ["10.0.0.1"] } ] }""", "own address")]
    [InlineData("""{ "version": 1, "paths": [ { "interface": "a", "table": 254 } ] }""", "table 254")]
    [InlineData("""{ "version": 1, "paths": [ { "interface": "a", "table": 9 }, { "interface": "b", "table": 9 } ] }""", "table 9")]
    [InlineData("""{ "version": 1, "paths": [ { "interface": "a" }, { "interface": "a" } ] }""", "more than once")]
    [InlineData("""{ "version": 1, "paths": [ { "interface": "a", "table": 40000 } ] }""", "rulePriority")]
    [InlineData("""{ "version": 1, "mptcp": { "enabled": true, "subflows": 9, "addAddrAccepted": 8 } }""", "limits")]
    [InlineData("""{ "version": 1, "mptcp": { "enabled": true, "subflows": 8 } }""", "addAddrAccepted")]
    [InlineData("""{ "version": 1, "mptcp": { "enabled": true, "endpoints": [ { "id": 1, "address": "10.0.0.1", "flags": ["signal", "fullmesh"] } ] } }""", "fullmesh")]
    [InlineData("""{ "version": 1, "mptcp": { "enabled": true, "endpoints": [ { "id": 1, "address": "10.0.0.1", "flags": ["subflow"], "port": 99 } ] } }""", "port")]
    [InlineData("""{ "version": 1, "mptcp": { "enabled": true, "endpoints": [ { "id": 1, "address": "10.0.0.1", "flags": [] } ] } }""", "flags")]
    public void Parse_Faulty_NamesTheField(string json, string named)
    {
        var fault = Assert.Throws<FormatException>(() => NetworkDocument.Parse(json));
        Assert.Contains(named, fault.Message);
    }
}
