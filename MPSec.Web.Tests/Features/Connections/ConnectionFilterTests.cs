using System.Text;
using MPSec.Features.Connections;
using static MPSec.Tests.Features.Connections.ConnectionFacts;

namespace MPSec.Tests.Features.Connections;

public sealed class ConnectionFilterTests
{
    // 1: rtt 12.5 and 25 ms, 2 MiB sent. 2: fell back, one backup subflow, remote on IPv6, no traffic.
    private static readonly ConnectionsSnapshot s_rows = Rows(
        Reading(
            Usual(1, sent: 2 << 20),
            (Connection(2) with { Remote = new(System.Net.IPAddress.Parse("2001:db8::7"), 443), Flags = 3, LastDataSentMs = 90_000 },
                [Subflow(2, "10.99.1.1:40777", "10.99.1.2:443") with { Flags = 0x21, CongestionControl = "bbr", TotalRetransmissions = 12, State = 2 }])),
        Reading(Usual(1, sent: 1 << 20)));

    [Theory]
    [InlineData("", "1 2")]
    [InlineData("   \t ", "1 2")]
    [InlineData("40777", "2")]
    [InlineData("CUBIC", "1")]
    [InlineData("\"bbr\"", "2")]
    [InlineData("-bbr", "1")]
    [InlineData("--bbr", null)]
    [InlineData("2001:db8::7", "2")]
    [InlineData("[2001:db8::7]:443", "2")]
    [InlineData("10.99.1.2:5001", "1")]
    [InlineData("::1", "")]
    [InlineData("path:2", "1")]
    [InlineData("path:path1", "1 2")]
    [InlineData("path=path", "")]
    [InlineData("path:7", "")]
    [InlineData("-path:2", "2")]
    [InlineData("PATH:2 Rtt>20", "1")]
    [InlineData("rtt>12.5 -rtt>30", "1")]
    [InlineData("rtt>=12.5", "1 2")]
    [InlineData("rtt<12.5", "")]
    [InlineData("rtt<=12.5 path:2", "1")]
    [InlineData("state:established", "1 2")]
    [InlineData("state:estab state:syn-sent", "2")]
    [InlineData("state:active", "1")]
    [InlineData("backup:yes", "2")]
    [InlineData("backup=no", "1")]
    [InlineData("fallback:예", "2")]
    [InlineData("-fallback:true", "1")]
    [InlineData("port:443", "2")]
    [InlineData("port>40000 port<40002", "1 2")]
    [InlineData("token:00000001", "1")]
    [InlineData("cc=bbr", "2")]
    [InlineData("cc:b", "1 2")]
    [InlineData("cwnd:10", "1 2")]
    [InlineData("rate>8", "1")]
    [InlineData("rate>9", "")]
    [InlineData("sent>=2M", "1")]
    [InlineData("sent>2049k", "")]
    [InlineData("retrans>0", "2")]
    [InlineData("idle>60", "2")]
    [InlineData("subflows=2", "1")]
    [InlineData("local:\"10.99.2.1\"", "1")]
    [InlineData("remote=10.99.1.2:443", "2")]
    [InlineData("안녕", "")]
    [InlineData("\"a\\\"b\"", "")]
    public void Matches_Filter_LetsTheseThrough(string text, string? expected)
    {
        var good = ConnectionFilter.TryParse(text, out var filter, out var problem);
        Assert.Equal(expected is not null, good);
        Assert.Equal(good, problem is null);
        if (expected is not null)
        {
            Assert.Equal(expected, string.Join(' ', s_rows.Rows.Where(filter.Matches).Select(r => r.Kernel.Token)));
        }
    }

    [Theory]
    [InlineData("rtx>5", "NoSuchField", 0, 3, "rtx", "rtt")]
    [InlineData("path:1 retran>5", "NoSuchField", 7, 6, "retran", "retrans")]
    [InlineData("-경로:3", "NoSuchField", 1, 2, "경로", "path")]
    [InlineData("rtt>", "NoValue", 4, 0, "rtt", null)]
    [InlineData("rtt:\"\"", "NoValue", 4, 2, "rtt", null)]
    [InlineData("rtt>fast", "NotANumber", 4, 4, "fast", null)]
    [InlineData("rtt>-3", "NotANumber", 4, 2, "-3", null)]
    [InlineData("rtt>1e9", "NotANumber", 4, 3, "1e9", null)]
    [InlineData("rtt>Infinity", "NotANumber", 4, 8, "Infinity", null)]
    [InlineData("sent>M", "NotANumber", 5, 1, "M", null)]
    [InlineData("rtt>>5", "NotANumber", 4, 2, ">5", null)]
    [InlineData("local>5", "NotOrdered", 5, 1, "local", ":")]
    [InlineData("path<=2", "NotOrdered", 4, 2, "path", "=")]
    [InlineData("state:open", "NotAChoice", 6, 4, "open", "established")]
    [InlineData("backup:maybe", "NotYesOrNo", 7, 5, "maybe", "yes")]
    [InlineData("bbr \"open", "OpenQuote", 4, 1, "\"", null)]
    [InlineData("local:\"x\\\"", "OpenQuote", 6, 1, "\"", null)]
    [InlineData("bbr -", "NoTerm", 5, 0, "", null)]
    [InlineData("--bbr", "NoTerm", 1, 0, "", null)]
    [InlineData(":5", "NoField", 0, 0, "", null)]
    [InlineData(">", "NoField", 0, 0, "", null)]
    public void TryParse_WrongFilter_SaysWhatAndWhere(string text, string code, int position, int length, string subject, string? choice)
    {
        Assert.False(ConnectionFilter.TryParse(text, out var filter, out var problem));
        Assert.Same(ConnectionFilter.All, filter);
        Assert.Equal((code, position, length, subject), (problem!.Code, problem.Position, problem.Length, problem.Subject));
        if (choice is not null)
        {
            Assert.Contains(choice, problem.Choices);
        }
    }

    [Fact]
    public void TryParse_UnknownFieldThatIsLikeNone_NamesAllFields()
    {
        Assert.False(ConnectionFilter.TryParse("colour:red", out _, out var problem));
        Assert.Equal(ConnectionFields.Names, problem!.Choices);
    }

    [Fact]
    public void TryParse_TooMuch_IsRefusedAtTheBorder()
    {
        Assert.False(ConnectionFilter.TryParse(new string('a', 4096), out _, out var problem));
        Assert.Equal(("TooLong", ConnectionFilter.LongestText), (problem!.Code, problem.Position));
        Assert.True(ConnectionFilter.TryParse(new string('a', ConnectionFilter.LongestText), out _, out _));
        Assert.False(ConnectionFilter.TryParse(string.Concat(Enumerable.Repeat("a ", ConnectionFilter.MostTerms + 1)), out _, out problem));
        Assert.Equal(("TooMany", 2 * ConnectionFilter.MostTerms), (problem!.Code, problem.Position));
    }

    [Fact]
    public void TryParse_AnyBytes_NeverThrowsAndPointsInside()
    {
        var random = new Random(20261124);
        const string Alphabet = "rtpath :<>=-\"\\'0159.kMG[]/*?%\0\u200b\u3000한글é\ud83d\n\t{}<script>";
        for (var i = 0; i < 20_000; i++)
        {
            var text = new StringBuilder();
            for (var n = random.Next(40); n > 0; n--)
            {
                text.Append(Alphabet[random.Next(Alphabet.Length)]);
            }

            if (ConnectionFilter.TryParse(text.ToString(), out var filter, out var problem))
            {
                _ = s_rows.Rows.Count(filter.Matches);
            }
            else
            {
                Assert.InRange(problem!.Position, 0, text.Length);
                Assert.InRange(problem.Position + problem.Length, 0, text.Length);
            }
        }
    }
}
