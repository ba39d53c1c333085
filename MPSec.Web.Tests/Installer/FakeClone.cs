using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MPSec.Tests.Installer;

/// <summary>
/// A clone with the real installer scripts and next to no sources, on a machine where all packages are installed and whose
/// "dotnet publish" makes a server that sleeps. This process answers its health question.
/// </summary>
public sealed class FakeClone : IDisposable
{
    private readonly TcpListener _health = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Makes clone and machine.</summary>
    public FakeClone()
    {
        Machine.InstallAllPackages();
        foreach (var file in Directory.GetFiles(Path.Combine(ScriptSandbox.Repository, "installer"), "*", SearchOption.AllDirectories))
        {
            var copy = "clone/" + Path.GetRelativePath(ScriptSandbox.Repository, file);
            if (file.EndsWith(".sh", StringComparison.Ordinal))
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Machine.In(copy))!);
                File.CreateSymbolicLink(Machine.In(copy), file); // what is executed is not written here, see stub.sh
                continue;
            }

            Machine.Write(copy, File.ReadAllText(file));
        }

        foreach (var file in (string[])["MPSec.Web/Program.cs", "Directory.Build.props", "global.json", "BannedSymbols.txt", ".editorconfig"])
        {
            Machine.Write("clone/" + file, "");
        }

        SetServer("[[ $1 != serve ]] || exec sleep 60");
        _health.Start();
        _ = AnswerAsync();
    }

    /// <summary>The machine.</summary>
    public ScriptSandbox Machine { get; } = new();

    /// <summary>Port on which the health question is answered.</summary>
    public string Port => ((IPEndPoint)_health.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);

    /// <summary>The state folder.</summary>
    public string State => Machine.In("state");

    /// <summary>File without which the health question is not answered: the made server writes it when it has begun.</summary>
    public string? AnswersWhenThereIs { get; set; }

    /// <summary>How often MPSec was built.</summary>
    public int Builds => Machine.Calls.Split('\n').Count(call => call.StartsWith("dotnet publish", StringComparison.Ordinal));

    /// <summary>What the published program does: bash lines.</summary>
    public void SetServer(string body) => Machine.Stub("dotnet", $$"""
        [[ $1 != --list-sdks ]] || echo '10.0.401 [/usr/share/dotnet/sdk]'
        [[ $1 == publish ]] || exit 0
        while [[ $1 != -o ]]; do shift; done
        mkdir -p "$2"
        cat >"$2/mpsec" <<'SERVER'
        #!{{ScriptSandbox.Real("bash")}}
        printf '%s\n' "mpsec $*" >>'{{Machine.In("calls")}}'
        {{body}}
        SERVER
        chmod 755 "$2/mpsec"
        """);

    /// <summary>Runs start-mptcp.sh on the own state folder and port.</summary>
    public Task<ScriptResult> StartAsync(params string[] arguments) =>
        RunAsync("start-mptcp.sh", ["--state", State, .. arguments.Contains("--stop") ? (string[])[] : ["--port", Port], .. arguments]);

    /// <summary>Runs any script of the clone.</summary>
    public Task<ScriptResult> RunAsync(string script, params string[] arguments) => Machine.RunAsync(script, arguments, Machine.In("clone"));

    /// <summary>Process id of the recorded server.</summary>
    public int RecordedPid => int.Parse(File.ReadAllText(Path.Combine(State, "serve.pid")).Split(' ')[0], CultureInfo.InvariantCulture);

    /// <summary>Ends what still runs and takes all away.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _health.Dispose();
        _stop.Dispose();
        if (File.Exists(Path.Combine(State, "serve.pid")) && RecordedPid != Environment.ProcessId)
        {
            try
            {
                using var server = System.Diagnostics.Process.GetProcessById(RecordedPid);
                server.Kill();
            }
            catch (ArgumentException)
            {
                // Ended already.
            }
        }

        Machine.Dispose();
    }

    private async Task AnswerAsync()
    {
        try
        {
            while (true)
            {
                using var client = await _health.AcceptTcpClientAsync(_stop.Token);
                await AnswerAsync(client);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        try
        {
            await using var stream = client.GetStream();
            using var request = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
            while (await request.ReadLineAsync(_stop.Token) is { Length: > 0 })
            {
                // To the empty line: who answers and closes with bytes unread resets the connection.
            }

            while (AnswersWhenThereIs is { } file && new FileInfo(file) is not { Exists: true, Length: > 0 })
            {
                await Task.Delay(20, _stop.Token);
            }

            await stream.WriteAsync(Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), _stop.Token);
        }
        catch (IOException)
        {
            // Who asked has gone.
        }
    }
}
