using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

#pragma warning disable RS0030 // This folder is the one place that starts processes.

namespace MPSec.Linux.Processes;

/// <summary>
/// Runs one program with standard output and standard error on one pipe, so that the order of its lines is the order in which it wrote them. It replaces the
/// standard descriptors of the calling process and is meant for a process that does nothing else.
/// </summary>
public static class ForegroundProgram
{
    // How long a daemon that the program left behind may keep the pipe open before its output is no longer waited for.
    private static readonly TimeSpan s_drain = TimeSpan.FromSeconds(2);

    /// <summary>Runs <paramref name="call"/> to its end.</summary>
    /// <param name="call">What to run; its standard input is empty.</param>
    /// <param name="output">Gets the bytes as they come; never called twice at once.</param>
    /// <param name="time">Clock.</param>
    /// <returns>Exit code; 128 + number when a signal ended it.</returns>
    /// <exception cref="ProgramMissingException">It is not installed.</exception>
    /// <exception cref="IOException">It may not be run.</exception>
    public static async Task<int> RunAsync(ProgramCall call, Action<ReadOnlyMemory<byte>> output, TimeProvider time)
    {
        var start = Prepare(call);
        Span<int> ends = stackalloc int[2];
        Check(ProcessCalls.Pipe(ends, LibC.OCloexec));
        var (readEnd, writeEnd) = (ends[0], ends[1]);
        var nothing = Check(ProcessCalls.Open("/dev/null", ProcessCalls.OReadWrite | LibC.OCloexec, 0));
        Check(ProcessCalls.Duplicate(nothing, 0));
        Check(ProcessCalls.Duplicate(writeEnd, 1));
        Check(ProcessCalls.Duplicate(writeEnd, 2));
        _ = LibC.Close(writeEnd);
        var reading = ReadAsync(new SafeFileHandle(readEnd, ownsHandle: true), output);
        try
        {
            using var process = Process.Start(start) ?? throw new IOException($"{call.Program} could not be started");
            await process.WaitForExitAsync();
            return process.ExitCode;
        }
        catch (Win32Exception e)
        {
            throw new IOException($"{call.Program} could not be started: {e.Message}", e);
        }
        finally
        {
            // The pipe ends when nobody holds its write end any more; our own two copies are given up here.
            Check(ProcessCalls.Duplicate(nothing, 1));
            Check(ProcessCalls.Duplicate(nothing, 2));
            _ = LibC.Close(nothing);
            await (await Task.WhenAny(reading, Task.Delay(s_drain, time)));
        }
    }

    private static ProcessStartInfo Prepare(ProgramCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        var start = new ProcessStartInfo(new CommandRunner(TimeProvider.System).Find(call.Program) ?? throw new ProgramMissingException(call.Program))
        {
            WorkingDirectory = call.WorkingFolder,
        };
        foreach (var argument in call.Arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Clear();
        start.Environment["PATH"] = string.Join(':', CommandRunner.Folders);
        start.Environment["HOME"] = "/root";
        start.Environment["LC_ALL"] = "C.UTF-8";
        foreach (var (name, value) in call.Environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }

    private static Task ReadAsync(SafeFileHandle pipe, Action<ReadOnlyMemory<byte>> output) => Task.Factory.StartNew(
        () =>
        {
            using var stream = new FileStream(pipe, FileAccess.Read, bufferSize: 0);
            var buffer = new byte[16 * 1024];
            int got;
            while ((got = stream.Read(buffer)) > 0)
            {
                output(buffer.AsMemory(0, got));
            }
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);

    private static int Check(int result) =>
        result < 0 ? throw new IOException(LibC.Describe(Marshal.GetLastPInvokeError())) : result;
}
