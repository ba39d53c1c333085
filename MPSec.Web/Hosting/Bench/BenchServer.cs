using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using MPSec.Data;
using MPSec.Linux.Processes;

namespace MPSec.Hosting.Bench;

/// <summary>What a server needs now.</summary>
/// <param name="CpuSeconds">Processor time since its start, s.</param>
/// <param name="ResidentBytes">Memory that it holds.</param>
/// <param name="ManagedBytes">Memory of its objects after the last full collection; 0 before one.</param>
internal readonly record struct ServerFigures(double CpuSeconds, double ResidentBytes, double ManagedBytes);

/// <summary>A server of the bench: the same program with a state folder of its own on a free port of the loopback interface. An administrator is signed in.</summary>
internal sealed class BenchServer : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly string _root = Directory.CreateTempSubdirectory("mpsec-bench-server-").FullName;
    private readonly CancellationTokenSource _stop = new();
    private BenchSession? _session;
    private Task<CommandResult> _run = Task.FromCanceled<CommandResult>(new(true));

    private BenchServer()
    {
    }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>The administrator.</summary>
    public HttpClient Client => _session!.Client;

    /// <summary>His cookies.</summary>
    public string Cookies => _session!.Cookies;

    /// <summary>The cookies by name.</summary>
    public IEnumerable<Cookie> CookieList => _session!.CookieList;

    /// <summary>Starts it and signs in.</summary>
    /// <exception cref="IOException">It did not start; the message holds what it said.</exception>
    public static async Task<BenchServer> StartAsync(ICommandRunner runner, int sampleIntervalMs, CancellationToken cancellationToken)
    {
        var server = new BenchServer();
        try
        {
            await server.RunAsync(runner, sampleIntervalMs, cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>What it needs now.</summary>
    public async Task<ServerFigures> FiguresAsync(CancellationToken cancellationToken)
    {
        var text = await Client.GetStringAsync(new Uri(Address, "/metrics"), cancellationToken);
        return new(Value("process_cpu_seconds_total"), Value("process_resident_memory_bytes"), Value("process_managed_live_bytes", 0));

        double Value(string name, double? missing = null) => Regex.Match(text, $"^{name} (.+)$", RegexOptions.Multiline) is { Success: true } found
            ? double.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture) : missing ?? throw new FormatException($"/metrics has no {name}");
    }

    /// <summary>Memory of its process, bytes: what is its own, and all that it holds with pages of files (proc_pid_smaps(5), smaps_rollup: Pss_Anon and Pss_Shmem; Rss).</summary>
    /// <exception cref="IOException">The process is gone.</exception>
    public async Task<(double Own, double Resident)> MemoryAsync(CancellationToken cancellationToken)
    {
        var text = await File.ReadAllTextAsync($"/proc/{await PidAsync(cancellationToken)}/smaps_rollup", cancellationToken);
        return (Value("Pss_Anon") + Value("Pss_Shmem"), Value("Rss"));

        double Value(string name) => Regex.Match(text, $"^{name}: +([0-9]+) kB$", RegexOptions.Multiline) is { Success: true } found
            ? 1024 * double.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture) : throw new FormatException($"smaps_rollup has no {name}");
    }

    /// <summary>Has it collect everything that is garbage, by the runtime's own diagnostic port (dotnet/diagnostics, ipc-protocol.md: a heap dump without its reader).</summary>
    /// <remarks>The session is stopped again: a runtime has room for 64, and each that is left behind keeps its buffers.</remarks>
    /// <exception cref="IOException">The port does not answer, or refuses.</exception>
    public async Task CollectAsync(CancellationToken cancellationToken)
    {
        var pid = await PidAsync(cancellationToken);
        var port = new UnixDomainSocketEndPoint(
            Directory.EnumerateFileSystemEntries(Path.GetTempPath(), $"dotnet-diagnostic-{pid}-*-socket").FirstOrDefault() ?? throw new IOException("the server has no diagnostic port"));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(1));
        var session = await AskAsync(port, 3, Collect(), limit.Token);
        await using (session.Stream)
        {
            var reading = DrainAsync(session.Stream, limit.Token);
            var stop = new byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(stop, session.Id);
            await using (var stopped = (await AskAsync(port, 1, stop, limit.Token)).Stream)
            {
                await reading; // the server ends the stream when all of the session is in it, and so after the collection
            }
        }
    }

    private async Task<string> PidAsync(CancellationToken cancellationToken) =>
        (await File.ReadAllTextAsync(new StateFolder(Path.Combine(_root, "state")).PidFile, cancellationToken)).Trim();

    private static async Task DrainAsync(Stream stream, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        while (await stream.ReadAsync(buffer, cancellationToken) > 0)
        {
            // Only the collection is wanted.
        }
    }

    // A command of the set EventPipe; its answer begins with the number of the session.
    private static async Task<(Stream Stream, ulong Id)> AskAsync(EndPoint port, byte command, byte[] payload, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(port, cancellationToken);
        var stream = new NetworkStream(socket, ownsSocket: true);
        var request = new byte[20 + payload.Length];
        Encoding.ASCII.GetBytes("DOTNET_IPC_V1\0", request);
        BinaryPrimitives.WriteUInt16LittleEndian(request.AsSpan(14), (ushort)request.Length);
        (request[16], request[17]) = (2, command);
        payload.CopyTo(request, 20);
        await stream.WriteAsync(request, cancellationToken);
        var answer = new byte[28];
        await stream.ReadExactlyAsync(answer.AsMemory(0, 20), cancellationToken);
        if ((answer[16], answer[17]) is not (0xff, 0))
        {
            await stream.DisposeAsync();
            throw new IOException("the diagnostic port of the server refuses");
        }

        await stream.ReadExactlyAsync(answer.AsMemory(20, 8), cancellationToken);
        return (stream, BinaryPrimitives.ReadUInt64LittleEndian(answer.AsSpan(20)));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _session?.Dispose();
        await _stop.CancelAsync();
        await Task.WhenAny(_run);
        _ = _run.Exception; // how it ended is of no interest any more
        _stop.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    /// <summary>EventPipe CollectTracing2 of the provider that collects when a session with the keyword GCHeapCollect begins.</summary>
    private static byte[] Collect()
    {
        using var payload = new MemoryStream();
        using (var writer = new BinaryWriter(payload, Encoding.Unicode, leaveOpen: true))
        {
            writer.Write(16u); // MB of buffer
            writer.Write(1u); // format
            writer.Write(false); // no rundown
            writer.Write(1u); // one provider
            writer.Write(0x800000ul);
            writer.Write(4u); // informational
            const string Provider = "Microsoft-Windows-DotNETRuntime\0";
            writer.Write((uint)Provider.Length);
            writer.Write(Encoding.Unicode.GetBytes(Provider));
            writer.Write(0u); // no filter
        }

        return payload.ToArray();
    }

    private async Task RunAsync(ICommandRunner runner, int sampleIntervalMs, CancellationToken cancellationToken)
    {
        var (address, link) = (new TaskCompletionSource<string>(), new TaskCompletionSource<string>());
        var said = new StringBuilder();
        var program = Environment.ProcessPath is { } path && Path.GetFileName(path) == "mpsec" ? path : Path.Combine(AppContext.BaseDirectory, "mpsec");
        var environment = new Dictionary<string, string>
        {
            ["MPSEC__MetricsForLoopback"] = "true",
            ["MPSEC__SampleIntervalMs"] = sampleIntervalMs.ToString(CultureInfo.InvariantCulture),
        };
        foreach (var name in new[] { "DOTNET_ROOT", "HOME", "TMPDIR" })
        {
            if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } value)
            {
                environment[name] = value;
            }
        }

        _run = runner.RunAsync(
            new(program, "serve", "--state", Path.Combine(_root, "state"), "--urls", "http://127.0.0.1:0")
            {
                Timeout = TimeSpan.FromDays(1),
                Environment = environment,
                OnLine = line =>
                {
                    lock (said)
                    {
                        if (said.Length < 10_000)
                        {
                            said.AppendLine(line.Text);
                        }
                    }

                    _ = line.Text.StartsWith("MPSec listens on ", StringComparison.Ordinal) && address.TrySetResult(line.Text["MPSec listens on ".Length..]);
                    _ = line.Text.StartsWith("First administrator: ", StringComparison.Ordinal) && link.TrySetResult(line.Text["First administrator: ".Length..]);
                },
            },
            _stop.Token);
        var ready = Task.WhenAll(address.Task, link.Task);
        if (await Task.WhenAny(ready, _run, Task.Delay(s_patience, cancellationToken)) != ready)
        {
            lock (said)
            {
                throw new IOException($"the server did not start: {said.ToString().Trim()}");
            }
        }

        Address = new(await address.Task);
        _session = await BenchSession.SignInAsync(Address, await link.Task, cancellationToken);
    }
}
