// unix(7): stream sockets. The address of a socket is at most 107 bytes, a state folder's name may be longer; /proc/self/fd/N is short and means the same.
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using MPSec.Data;
using MPSec.Linux;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>
/// The place where the one resident dead-man of a state folder and network namespace can be called: a socket that only its own user may use, and a lock that
/// the kernel gives free however the process ends.
/// </summary>
internal sealed class DeadManPost : IDisposable
{
    private const int MostBytes = 200;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    private readonly StateFolder _folder;
    private readonly ulong _network;
    private readonly FileStream _lock;
    private Socket? _listener;

    private DeadManPost(StateFolder folder, ulong network, FileStream held)
    {
        (_folder, _network, _lock) = (folder, network, held);
    }

    /// <summary>Whether a caller still finds this process: the folder may have been removed or put back from elsewhere.</summary>
    public bool IsStanding => _listener is not null && File.Exists(_folder.DeadManSocket(_network));

    /// <summary>Takes the place and listens; null when another process has it, or the folder does not allow it.</summary>
    public static DeadManPost? TryTake(StateFolder folder)
    {
        var network = Network();
        DeadManPost? post = null;
        try
        {
            post = new(folder, network, new FileStream(folder.DeadManLock(network), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            post.Listen();
            return post;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException)
        {
            post?.Dispose();
            return null;
        }
    }

    /// <summary>Asks the resident dead-man to guard a change.</summary>
    /// <returns>False when there is none, it is of another build, it cannot, or it does not answer.</returns>
    public static async Task<bool> CallAsync(StateFolder folder, Guid change, CancellationToken cancellationToken)
    {
        var path = folder.DeadManSocket(Network());
        if (!File.Exists(path))
        {
            return false;
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(s_patience);
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            using (var shortened = new ShortPath(path))
            {
                await socket.ConnectAsync(shortened.EndPoint, patience.Token);
            }

            await socket.SendAsync(Encoding.ASCII.GetBytes($"{change:N} {BuildMark.Current}\n"), patience.Token);
            return await ReadLineAsync(socket, patience.Token) == "ready";
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return false; // Killed, stopped or stale: another one will be started.
        }
    }

    /// <summary>Tells every resident dead-man of a state folder to end, and waits for it; what it guards is undone at once.</summary>
    public static async Task EndAllAsync(StateFolder folder, TimeProvider time)
    {
        const int SigTerm = 15;
        foreach (var file in Directory.Exists(folder.Root) ? Directory.GetFiles(folder.Root, "dead-man-*.pid") : [])
        {
            if (await ReadMarkAsync(file) is not { IsAlive: true } resident || resident == ProcessMark.Current)
            {
                continue;
            }

            _ = LibC.Kill(resident.Pid, SigTerm);
            while (resident.IsAlive)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), time);
            }
        }
    }

    /// <summary>
    /// Waits for one caller and lets <paramref name="guard"/> take over the change. A caller of another build is sent away, and this place with it: from then on
    /// nobody is called here any more.
    /// </summary>
    /// <returns>False when the place was given up.</returns>
    public async Task<bool> AnswerAsync(Func<Guid, Task<bool>> guard, CancellationToken cancellationToken)
    {
        using var caller = await _listener!.AcceptAsync(cancellationToken);
        try
        {
            // Who was let in is heard to the end, also when the time to wait for a caller is over.
            using var patience = new CancellationTokenSource(s_patience);
            if (!IsOwnUser(caller) || (await ReadLineAsync(caller, patience.Token)).Split(' ') is not [var text, var build] || !Guid.TryParseExact(text, "N", out var change))
            {
                return true;
            }

            if (build != BuildMark.Current)
            {
                Dispose();
                await caller.SendAsync("other"u8.ToArray(), patience.Token);
                return false;
            }

            await caller.SendAsync(await guard(change) ? "ready\n"u8.ToArray() : "no\n"u8.ToArray(), patience.Token);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // It went away; the journal tells it all the same.
        }

        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_listener is { } listener)
        {
            _listener = null;
            listener.Dispose();
            Delete(_folder.DeadManSocket(_network));
            Delete(_folder.DeadManPid(_network));
        }

        _lock.Dispose();
    }

    private static async Task<ProcessMark?> ReadMarkAsync(string file)
    {
        try
        {
            return ProcessMark.Parse($"{(await File.ReadAllTextAsync(file)).Trim().Replace(' ', '/')}/{ProcessMark.Current.Boot}");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null; // It has just gone by itself.
        }
    }

    private static ulong Network() => NamespaceIdentity.OfThisThread(GatewayName.Host).Inode;

    private void Listen()
    {
        var path = _folder.DeadManSocket(_network);
        File.Delete(path); // of one that was killed: whoever lives has the lock
        _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using var shortened = new ShortPath(path);
        _listener.Bind(shortened.EndPoint);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _listener.Listen(4);
        var own = ProcessMark.Current;
        File.WriteAllText(_folder.DeadManPid(_network), string.Create(CultureInfo.InvariantCulture, $"{own.Pid} {own.StartTicks}\n"));
    }

    // SO_PEERCRED: struct ucred, pid, uid, gid. The pid may be given to another process meanwhile, the user may not.
    private static bool IsOwnUser(Socket caller)
    {
        const int SoPeerCred = 17;
        Span<byte> credentials = stackalloc byte[12];
        return caller.GetRawSocketOption(LibC.SolSocket, SoPeerCred, credentials) == 12 && MemoryMarshal.Read<uint>(credentials[4..]) == LibC.GetEffectiveUserId();
    }

    private static async Task<string> ReadLineAsync(Socket socket, CancellationToken cancellationToken)
    {
        var buffer = new byte[MostBytes];
        var length = 0;
        while (length < MostBytes)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(length), cancellationToken);
            length += read;
            if (read == 0 || buffer[length - 1] == (byte)'\n')
            {
                break;
            }
        }

        return Encoding.ASCII.GetString(buffer, 0, length).TrimEnd('\n');
    }

    private static void Delete(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The folder is gone.
        }
    }

    /// <summary>The socket's address by way of an open descriptor of its folder.</summary>
    private sealed class ShortPath : IDisposable
    {
        private readonly int _folder;

        public ShortPath(string path)
        {
            _folder = LibC.Open(Path.GetDirectoryName(path)!, LibC.OReadOnly | LibC.OCloexec);
            if (_folder < 0)
            {
                throw new IOException($"{path}: {LibC.Describe(Marshal.GetLastPInvokeError())}");
            }

            EndPoint = new(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{_folder}/{Path.GetFileName(path)}"));
        }

        public UnixDomainSocketEndPoint EndPoint { get; }

        public void Dispose() => _ = LibC.Close(_folder);
    }
}
