using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using MPSec.Features.Connections;
using MPSec.Linux.Gateways;
using MPSec.Linux.Procfs;
using MPSec.Linux.Sockets;
using MPSec.Linux.Values;
using MPSec.Tests.Features.Connections;

namespace MPSec.Tests.Netns;

/// <summary>The rows of the Connections page against ss(8) at the same moment. 60 connections; 500 with MPSEC_LONG=1.</summary>
public sealed class ConnectionRowsTests
{
    private static readonly int s_connections = LongProofs.Wanted ? 500 : 60;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Rows_ManyConnectionsOverThreePaths_EqualSsFigureByFigure()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        for (var i = 1; i <= 3; i++)
        {
            scope.Veth(a, $"p{i}", $"10.9.{i}.1/24", b, $"p{i}", $"10.9.{i}.2/24");
        }

        foreach (var side in new[] { a, b })
        {
            NamespaceScope.Ip(side, "mptcp", "limits", "set", "subflows", "2", "add_addr_accepted", "2");
        }

        NamespaceScope.Ip(b, "mptcp", "endpoint", "add", "10.9.2.2", "signal");
        NamespaceScope.Ip(b, "mptcp", "endpoint", "add", "10.9.3.2", "signal", "backup");
        var sockets = new List<Socket>();
        try
        {
            var listener = MptcpSocket.Open(b, AddressFamily.InterNetwork);
            sockets.Add(listener);
            listener.Bind(new IPEndPoint(IPAddress.Any, 5000));
            listener.Listen(s_connections);
            var sent = new Dictionary<IPEndPoint, (long Sent, long Received)>();
            for (var i = 0; i < s_connections; i++)
            {
                var (client, server) = await PairAsync(a, listener, multipath: true, sockets);
                var (up, down) = (1000 + (i * 37), 10 + i);
                await client.SendAsync(new byte[up], Token);
                await ReceiveAsync(server, up);
                await server.SendAsync(new byte[down], Token);
                await ReceiveAsync(client, down);
                sent[(IPEndPoint)client.LocalEndPoint!] = (up, down);
            }

            for (var i = 0; i < 3; i++)
            {
                await PairAsync(a, listener, multipath: false, sockets);
            }

            using var reader = GatewayReader.Open(a);
            var paths = new Dictionary<string, int> { ["p1"] = 1, ["p2"] = 2, ["p3"] = 3 };
            ConnectionsSnapshot rows;
            (string Connections, string Subflows) ss;
            var tries = 0;
            do
            {
                // At rest, not in the middle of a join.
                Assert.True(++tries < 300, "the subflows do not come to rest");
                await Task.Delay(100, Token);
                rows = ConnectionsService.Of(reader.Read(), null, TimeSpan.Zero, paths);
                ss = (NamespaceScope.In(a, "ss", "-HMni"), NamespaceScope.In(a, "ss", "-Htni"));
            }
            while (rows.Rows.Any(r => r.Subflows.Length < 3) || Facts(rows) is var facts && !facts.SetEquals(Facts(ConnectionsService.Of(reader.Read(), null, TimeSpan.Zero, paths))));

            var (ours, theirs) = (Facts(rows), Facts(ss.Connections, ss.Subflows));
            Assert.True(ours.SetEquals(theirs), string.Join('\n', theirs.Except(ours).Take(5).Select(f => "ss:   " + f).Concat(ours.Except(theirs).Take(5).Select(f => "ours: " + f))));
            Assert.Equal((s_connections, 3 * s_connections, 3, 0), (rows.Rows.Length, rows.Subflows, rows.PlainTcp, rows.Fallbacks));
            Assert.Equal(s_connections, rows.Rows.Select(r => r.Token).Distinct().Count());
            using var other = GatewayReader.Open(b);
            var peers = ConnectionsService.Of(other.Read(), null, TimeSpan.Zero, paths).Rows.SelectMany(r => r.Subflows).ToDictionary(s => (s.Remote, s.Local), s => s.Kernel);
            foreach (var row in rows.Rows)
            {
                // ss 6.1 does not print the bytes of a connection; what went through the sockets is known.
                var (up, down) = sent[row.Local];
                Assert.Equal(((ulong)up, (ulong)down, (ulong)up), (row.Kernel.BytesSent, row.Kernel.BytesReceived, row.Kernel.BytesAcked));
                Assert.Equal([1, 2, 3], row.Subflows.Select(s => s.Path).Distinct().Order());
                // On a busy machine MPTCP may send data again over another subflow: then the sums are larger by just that.
                Assert.Equal((ulong)up + row.Kernel.BytesRetransmitted!.Value, row.Subflows.Aggregate(0ul, (sum, s) => sum + First(s.Kernel)));
                Assert.All(row.Subflows, s => Assert.Equal(First(peers[(s.Local, s.Remote)]), s.Kernel.BytesReceived));
                Assert.Equal(1.0, row.Subflows.Sum(s => s.Share)!.Value, 9);
                Assert.Contains(row.Subflows, s => s is { State: SubflowState.Backup, Path: 3 });
            }

            // The command that the page shows finds this connection and nothing else.
            foreach (var (line, count) in ConnectionCommands.Show(a, rows.Rows[0]).Zip(new[] { 1, 3 }))
            {
                var words = Regex.Match(line, "^ip netns exec (\\S+) ss (\\S+) '(.+)'$");
                Assert.Equal(count, Regex.Count(NamespaceScope.In(a, "ss", "-H" + words.Groups[2].Value[1..], words.Groups[3].Value), "^ESTAB", RegexOptions.Multiline));
            }

            // A child that another test has just forked holds it too, until it runs its program.
            await LabScope.UntilAsync(() => new SocketOwners().Find(rows.Rows[0].Kernel.Inode, Token).Owners.Select(o => o.Pid).SequenceEqual([Environment.ProcessId]), "this process alone has it open");
        }
        finally
        {
            sockets.ForEach(s => s.Dispose());
        }
    }

    [Fact]
    public async Task Rows_ServerWithoutMptcp_SaysThatItFellBackAndWhy()
    {
        using var scope = new NamespaceScope();
        var (a, b) = (scope.Add("a"), scope.Add("b"));
        scope.Veth(a, "p1", "10.9.1.1/24", b, "p1", "10.9.1.2/24");
        using var listener = MptcpSocket.Open(b, AddressFamily.InterNetwork, multipath: false);
        listener.Bind(new IPEndPoint(IPAddress.Any, 5000));
        listener.Listen(1);
        var sockets = new List<Socket>();
        try
        {
            var (client, server) = await PairAsync(a, listener, multipath: true, sockets);
            await client.SendAsync(new byte[300], Token);
            await ReceiveAsync(server, 300);
            using var reader = GatewayReader.Open(a);
            var rows = ConnectionsService.Of(reader.Read(), null, TimeSpan.Zero, new Dictionary<string, int>());

            var row = Assert.Single(rows.Rows);
            Assert.Equal((true, 1), (row.IsFallback, rows.Fallbacks));
            Assert.Contains(new("MPCapableFallbackSYNACK", 1), rows.FallbackCauses);
            Assert.True(ConnectionFilter.TryParse("fallback:yes port:5000", out var filter, out _) && filter.Matches(row));
        }
        finally
        {
            sockets.ForEach(s => s.Dispose());
        }
    }

    private static SortedSet<string> Facts(ConnectionsSnapshot snapshot) => new(
        snapshot.Rows.Select(r => Text($"{r.Local} {r.Remote} token {r.Token} subflows {r.Kernel.Subflows} fallback {r.IsFallback}"))
            .Concat(snapshot.Rows.SelectMany(r => r.Subflows.Select(s => Text($"{s.Local} {s.Remote} {s.Kernel.CongestionControl} token {r.Token} rtt {s.RttMs:0.###} var {s.RttVariationMs:0.###} min {s.MinRttMs:0.###} cwnd {s.Kernel.CongestionWindow} unacked {s.Kernel.Unacknowledged} sent {s.Kernel.BytesSent} received {s.Kernel.BytesReceived} acked {s.Kernel.BytesAcked} again {s.Kernel.TotalRetransmissions} ooo {s.Kernel.ReceivedOutOfOrder} backup {s.Kernel.IsBackup}")))),
        StringComparer.Ordinal);

    private static SortedSet<string> Facts(string connections, string subflows)
    {
        var facts = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var (head, words, v) in Sockets(connections))
        {
            facts.Add(Text($"{head} token {v("token").PadLeft(8, '0')} subflows {v("subflows")} fallback {words.Contains("fallback")}"));
        }

        foreach (var (head, words, v) in Sockets(subflows).Where(s => s.Value("token").Contains('/', StringComparison.Ordinal)))
        {
            var rtt = v("rtt").Split('/');
            var token = v("token").Split('/')[1].Split('(')[0].PadLeft(8, '0');
            facts.Add(Text($"{head} {words[0]} token {token} rtt {Ms(rtt[0])} var {Ms(rtt[1])} min {Ms(v("minrtt"))} cwnd {v("cwnd")} unacked {Number(v("unacked"))} sent {Number(v("bytes_sent"))} received {Number(v("bytes_received"))} acked {Number(v("bytes_acked"))} again {Number(v("retrans").Split('/')[^1])} ooo {Number(v("rcv_ooopack"))} backup {v("flags").Contains('b', StringComparison.OrdinalIgnoreCase)}"));
        }

        return facts;
    }

    private static ulong First(Subflow subflow) => subflow.BytesSent!.Value - subflow.BytesRetransmitted!.Value;

    private static string Ms(string text) => double.Parse(text, CultureInfo.InvariantCulture).ToString("0.###", CultureInfo.InvariantCulture);

    private static string Number(string text) => text.Length == 0 ? "0" : text;

    private static IEnumerable<(string Head, string[] Words, Func<string, string> Value)> Sockets(string output)
    {
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        for (var i = 0; i + 1 < lines.Length; i++)
        {
            if (lines[i].StartsWith("ESTAB", StringComparison.Ordinal) && lines[i + 1][0] == '\t')
            {
                var head = lines[i].Split(' ', StringSplitOptions.RemoveEmptyEntries);
                var words = lines[i + 1].Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
                var values = words.Where(w => w.Contains(':', StringComparison.Ordinal)).GroupBy(w => w[..w.IndexOf(':', StringComparison.Ordinal)]).ToDictionary(g => g.Key, g => g.First()[(g.Key.Length + 1)..]);
                yield return ($"{Plain(head[3])} {Plain(head[4])}", words, key => values.GetValueOrDefault(key, ""));
            }
        }
    }

    // ss names the interface of some sockets: 10.9.1.1%p1:40000.
    private static string Plain(string end) => Regex.Replace(end, "%[^:]+", "");

    private static string Text(FormattableString text) => FormattableString.Invariant(text);

    private static async Task<(Socket Client, Socket Server)> PairAsync(GatewayName from, Socket listener, bool multipath, List<Socket> sockets)
    {
        var client = MptcpSocket.Open(from, AddressFamily.InterNetwork, multipath);
        sockets.Add(client);
        await client.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.9.1.2"), 5000), Token);
        var server = await listener.AcceptAsync(Token);
        sockets.Add(server);
        return (client, server);
    }

    private static async Task ReceiveAsync(Socket socket, int bytes)
    {
        var buffer = new byte[4096];
        while (bytes > 0)
        {
            bytes -= await socket.ReceiveAsync(buffer.AsMemory(0, Math.Min(buffer.Length, bytes)), Token);
        }
    }
}
