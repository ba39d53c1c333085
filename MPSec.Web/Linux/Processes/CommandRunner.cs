#pragma warning disable RS0030 // this folder is where programs are started
using System.Diagnostics;
using System.Text;
using MPSec.Linux.Namespaces;

namespace MPSec.Linux.Processes;

/// <summary>
/// Runs programs without a shell: absolute path, argument list, nearly empty environment, working folder <c>/</c>, no standard input, own session
/// (setsid(1)), so that a time-out or cancellation reaches the children too.
/// </summary>
public sealed class CommandRunner(TimeProvider time) : ICommandRunner
{
    /// <summary>Where programs are looked for, in this order; also their PATH.</summary>
    public static readonly IReadOnlyList<string> Folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

    private const int SignalTerminate = 15;
    private const int SignalKill = 9;
    private const int LongestLine = 8192;
    private static readonly TimeSpan TerminationTime = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    public string? Find(string program)
    {
        ArgumentException.ThrowIfNullOrEmpty(program);
        if (program.Contains('/', StringComparison.Ordinal))
        {
            return System.IO.Path.IsPathRooted(program) && File.Exists(program) ? program : null;
        }

        return Folders.Select(folder => $"{folder}/{program}").FirstOrDefault(File.Exists);
    }

    /// <inheritdoc/>
    public async Task<CommandResult> RunAsync(CommandRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        cancellationToken.ThrowIfCancellationRequested();
        using var process = Start(request);
        using var timeout = new CancellationTokenSource(request.Timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        using var drain = new CancellationTokenSource();
        request.OnStarted?.Invoke(process.Id);
        process.StandardInput.Close();
        var output = ReadAsync(process.StandardOutput.BaseStream, request, isError: false, drain.Token);
        var error = ReadAsync(process.StandardError.BaseStream, request, isError: true, drain.Token);
        var timedOut = false;
        try
        {
            await process.WaitForExitAsync(stop.Token);
        }
        catch (OperationCanceledException)
        {
            timedOut = !cancellationToken.IsCancellationRequested;
            await EndAsync(process);
        }

        var read = Task.WhenAll(output, error);
        await Task.WhenAny(read, Task.Delay(request.Drain, time, CancellationToken.None));
        await drain.CancelAsync();
        await read;
        cancellationToken.ThrowIfCancellationRequested();
        var (outputText, outputCut) = await output;
        var (errorText, errorCut) = await error;
        return new(process.ExitCode, outputText, errorText, outputCut, errorCut, timedOut);
    }

    private Process Start(CommandRequest request)
    {
        var program = Find(request.Program) ?? throw new ProgramMissingException(request.Program);
        var first = request.OwnSession ? Find("setsid") ?? throw new ProgramMissingException("setsid") : program;
        var info = new ProcessStartInfo(first)
        {
            WorkingDirectory = "/",
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (request.OwnSession)
        {
            info.ArgumentList.Add(program);
        }

        foreach (var argument in request.Arguments)
        {
            info.ArgumentList.Add(argument);
        }

        info.Environment.Clear();
        info.Environment["LC_ALL"] = "C";
        info.Environment["PATH"] = string.Join(':', Folders);
        foreach (var (name, value) in request.Environment ?? new Dictionary<string, string>())
        {
            info.Environment[name] = value;
        }

        // The child is forked on the calling thread and inherits that thread's namespace.
        return NamespaceThread.Run(request.Gateway, () => Process.Start(info) ?? throw new IOException($"{program} could not be started"));
    }

    private async Task EndAsync(Process process)
    {
        // The child leads its session, so its id names the group. Until setsid(2) ran there is no such group: then the process itself is meant.
        Signal(process, SignalTerminate);
        using var patience = new CancellationTokenSource(TerminationTime, time);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            // It did not listen.
        }

        Signal(process, SignalKill); // also for children that outlived it
        await process.WaitForExitAsync(CancellationToken.None);
    }

    private static void Signal(Process process, int signal)
    {
        if (LibC.Kill(-process.Id, signal) != 0 && !process.HasExited)
        {
            _ = LibC.Kill(process.Id, signal);
        }
    }

    private static async Task<(string Text, bool Truncated)> ReadAsync(Stream stream, CommandRequest request, bool isError, CancellationToken drained)
    {
        var kept = new MemoryStream();
        var line = new MemoryStream();
        var truncated = false;
        var buffer = new byte[8192];
        try
        {
            while (await stream.ReadAsync(buffer, drained) is var length and > 0)
            {
                var room = Math.Min(length, request.OutputLimit - (int)kept.Length);
                kept.Write(buffer, 0, room);
                truncated |= room < length;
                if (request.OnLine is not null)
                {
                    Split(buffer.AsSpan(0, length));
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The program ended, a child of it keeps the pipe: what was read is all there is.
        }

        if (line.Length > 0)
        {
            Emit();
        }

        return (Encoding.UTF8.GetString(kept.GetBuffer(), 0, (int)kept.Length), truncated);

        void Split(ReadOnlySpan<byte> bytes)
        {
            foreach (var b in bytes)
            {
                if (b == '\n')
                {
                    Emit();
                    continue;
                }

                line.WriteByte(b);
                if (line.Length == LongestLine)
                {
                    Emit();
                }
            }
        }

        void Emit()
        {
            request.OnLine?.Invoke(new(Encoding.UTF8.GetString(line.GetBuffer(), 0, (int)line.Length).TrimEnd('\r'), isError));
            line.SetLength(0);
        }
    }
}
