using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using MPSec.Changes;
using MPSec.Data;
using MPSec.Hosting.Auth;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;
using MPSec.Tests.Data;

namespace MPSec.Tests.Netns;

/// <summary>
/// A real <c>mpsec serve</c> whose "host" is a namespace of the test, and an administrator who reaches it from another namespace only through its default
/// route. What the server's process does to its host it does to that namespace.
/// </summary>
internal sealed class ServedNamespace : IAsyncDisposable
{
    public const string Server = "10.77.1.1";
    public const string Url = "http://" + Server + ":8195";
    public const string User = "adam";
    public const string Password = "four paths, one gateway";

    private const string Client = "10.88.0.2";
    private const string Server6 = "fd00:77::1";
    private const string Client6 = "fd00:88::2";
    private const string Url6 = "http://[" + Server6 + "]:8195";

    private readonly NamespaceScope _scope = new();
    private readonly TempState _state = new();
    private readonly CookieContainer _cookies = new();
    private readonly GatewayName _client;
    private ServiceProvider? _services;
    private Process? _serve;
    private int _connections;

    private ServedNamespace()
    {
        Host = _scope.Add("s");
        _client = _scope.Add("c");
        _scope.Veth(Host, "eth0", Server + "/24", _client, "eth0", "10.77.1.2/24");
        _scope.Veth(Host, "eth1", "10.66.1.1/24", _client, "eth1", null);
        NamespaceScope.In(_client, "sysctl", "-qw", "net.ipv4.conf.eth1.arp_ignore=8"); // who looks for the client on the other link finds nobody
        NamespaceScope.Ip(_client, "addr", "add", Client + "/32", "dev", "lo");
        NamespaceScope.Ip(Host, "addr", "add", Server6 + "/64", "dev", "eth0", "nodad");
        NamespaceScope.Ip(_client, "addr", "add", "fd00:77::2/64", "dev", "eth0", "nodad");
        NamespaceScope.Ip(_client, "addr", "add", Client6 + "/128", "dev", "lo");
        NamespaceScope.Ip(Host, "route", "add", "fd00:88::/64", "via", "fd00:77::2");
        NamespaceScope.Ip(Host, "route", "add", "default", "via", "10.77.1.2", "metric", "100");
        NamespaceScope.Ip(Host, "route", "add", "192.0.2.0/24", "via", "10.77.1.2", "table", "77");
    }

    public GatewayName Host { get; }

    /// <summary>Where the administrator sits.</summary>
    public GatewayName ClientHost => _client;

    /// <summary>A folder of the test, removed with it.</summary>
    public string Folder => _state.Root;

    /// <summary>Time that a page gives to confirm, seconds.</summary>
    public int ConfirmSeconds { get; set; } = 60;

    /// <summary>The server listens on every address, also on one that comes later.</summary>
    public bool ListensEverywhere { get; private init; }

    /// <summary>Connections that clients have opened so far.</summary>
    public int ConnectionsOpened => Volatile.Read(ref _connections);

    public ChangeJournal Journal => _services!.GetRequiredService<ChangeJournal>();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<ServedNamespace> StartAsync(int confirmSeconds = 60, bool listensEverywhere = false)
    {
        var served = new ServedNamespace { ConfirmSeconds = confirmSeconds, ListensEverywhere = listensEverywhere };
        try
        {
            served._services = await served._state.StartAsync(s => s.AddSingleton(TimeProvider.System).AddMPSecChanges().AddMPSecUsers());
            await using (var scope = served._services.CreateAsyncScope())
            {
                var accounts = scope.ServiceProvider.GetRequiredService<UserAccounts>();
                await accounts.EnsureRolesAsync();
                Assert.True((await accounts.AddAsync(User, Password, UserRole.Administrator, Token)).Succeeded);
            }

            await served._services.GetRequiredService<GatewayModes>().SetAsync(GatewayName.Host, GatewayMode.Managed, ChangeActor.System, Token);
            served._services.GetRequiredService<DatabaseStart>().Dispose(); // the server takes the folder
            await served.ServeAsync();
            return served;
        }
        catch
        {
            await served.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the server and signs in.</summary>
    public async Task ServeAsync()
    {
        _serve = Start("serve", "--urls", ListensEverywhere ? "http://[::]:8195" : Url + ";" + Url6);
        var listens = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _serve.OutputDataReceived += (_, line) => _ = line.Data?.StartsWith("MPSec listens", StringComparison.Ordinal) == true && listens.TrySetResult();
        _serve.ErrorDataReceived += (_, _) => { };
        _serve.BeginOutputReadLine();
        _serve.BeginErrorReadLine();
        await listens.Task.WaitAsync(TimeSpan.FromSeconds(120), Token);
        if (_cookies.Count == 0)
        {
            using var http = NewClient();
            var token = await FormTokenAsync(http);
            var form = new FormUrlEncodedContent([new("__RequestVerificationToken", token), new("name", User), new("password", Password), new("returnUrl", "/")]);
            await http.PostAsync("/account/sign-in", form, Token);
        }
    }

    /// <summary>kill -9.</summary>
    public async Task KillServerAsync()
    {
        _serve!.Kill();
        await _serve.WaitForExitAsync(Token);
    }

    /// <summary>A browser at the far end; every client has connections of its own.</summary>
    public HttpClient NewClient(TimeSpan? timeout = null, bool isIPv6 = false)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            CookieContainer = _cookies,
            UseCookies = !isIPv6,
            UseProxy = false,
            ConnectCallback = async (context, cancellationToken) =>
            {
                var socket = NamespaceThread.Run(_client, () => new Socket(isIPv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
                try
                {
                    socket.Bind(new IPEndPoint(IPAddress.Parse(isIPv6 ? Client6 : Client), 0));
                    await socket.ConnectAsync(IPAddress.Parse(isIPv6 ? Server6 : Server), context.DnsEndPoint.Port, cancellationToken);
                    Interlocked.Increment(ref _connections);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        var client = new HttpClient(handler) { BaseAddress = new(isIPv6 ? Url6 : Url), Timeout = timeout ?? TimeSpan.FromSeconds(60) };
        client.DefaultRequestHeaders.Add("Origin", isIPv6 ? Url6 : Url);
        if (isIPv6)
        {
            // The session is the same; a cookie would only go to the address that gave it.
            client.DefaultRequestHeaders.Add("Cookie", _cookies.GetCookieHeader(new(Url)));
        }

        return client;
    }

    public static Task<HttpResponseMessage> ApplyAsync(HttpClient http, IEnumerable<HostOperation> operations, double seconds) =>
        http.PostAsync("/api/v1/changes", JsonContent.Create(new { operations = JsonDocument.Parse(OperationJson.WriteMany(operations)).RootElement, timeoutSeconds = seconds }), Token);

    /// <summary>Neighbours on both sides are forgotten: whoever comes now must be found anew.</summary>
    public void ForgetNeighbours()
    {
        NamespaceScope.Ip(_client, "neigh", "flush", "all");
        NamespaceScope.Ip(Host, "neigh", "flush", "all");
    }

    /// <summary>Everything a change could alter, as the tools tell it.</summary>
    public string Snapshot() => string.Join('\n', NamespaceScope.In(Host, "sh", "-c", """
        set -e
        ip -o link; ip -o addr; ip -4 route show table all; ip -6 route show table all; ip -4 rule; ip -6 rule; tc qdisc; nft list ruleset
        cd /proc/sys/net; grep -rHs . ipv4/conf ipv6/conf ipv4/neigh ipv6/neigh ipv4/ip_forward | grep -v stable_secret
        """).Split('\n').Select(Stable).Order(StringComparer.Ordinal));

    /// <summary>Runs a verb inside the server's namespace.</summary>
    public async Task<(int Code, string Output)> MpsecAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var output = await process.StandardOutput.ReadToEndAsync(Token);
        var error = await process.StandardError.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token);
        return (process.ExitCode, output + error);
    }

    public async ValueTask DisposeAsync()
    {
        if (_serve is { HasExited: false })
        {
            _serve.Kill();
            await _serve.WaitForExitAsync();
        }

        _serve?.Dispose();
        if (_services is not null)
        {
            foreach (var intent in await Journal.UnendedChecksAsync(CancellationToken.None))
            {
                EndGuard(intent);
            }

            await _services.DisposeAsync();
        }

        _scope.Dispose();
        _state.Dispose();
    }

    /// <summary>kill -9 for the dead-man of a change.</summary>
    public static void EndGuard(ChangeIntent intent)
    {
        if (ProcessMark.Parse(intent.Check?.Guard) is { IsAlive: true } guard)
        {
            using var process = Process.GetProcessById(guard.Pid);
            process.Kill();
            process.WaitForExit();
        }
    }

    // Neighbours come and go, lifetimes count down, multicast groups and link-local addresses come late.
    private static string Stable(string line) => line.Contains("fe80::", StringComparison.Ordinal) || line.Contains("ff00::", StringComparison.Ordinal) ? ""
        : string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static async Task<string> FormTokenAsync(HttpClient http)
    {
        var page = await http.GetStringAsync("/sign-in", Token);
        return System.Text.RegularExpressions.Regex.Match(page, "name=\"__RequestVerificationToken\" value=\"([^\"]+)\"").Groups[1].Value;
    }

    private Process Start(params string[] arguments)
    {
        var info = new ProcessStartInfo("ip") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])["netns", "exec", Host.Value, Path.Combine(AppContext.BaseDirectory, "mpsec"), .. arguments, "--state", _state.Root])
        {
            info.ArgumentList.Add(argument);
        }

        info.Environment["MPSEC__ConfirmSecondsMinimum"] = "1";
        info.Environment["MPSEC__ConfirmSeconds"] = ConfirmSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return Process.Start(info)!;
    }
}
