using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

#pragma warning disable RS0030 // This folder is the one place that starts processes.

namespace MPSec.Linux.Processes;

/// <summary>
/// Runs one program with standard output and standard error on one file, so that the order of its lines is the order in which it wrote them, and nothing that it
/// wrote is lost when the process that waits for it is killed. It replaces the standard descriptors of the calling process and is meant for a process that does
/// nothing else.
/// </summary>
public static class ForegroundProgram
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(50);

    /// <summary>Runs <paramref name="call"/> to its end.</summary>
    /// <param name="call">What to run; its standard input is empty.</param>
    /// <param name="output">File that it appends to (O_APPEND: what others wrote stays); an unfinished last line in it is ended first.</param>
    /// <param name="grown">Called about every 50 ms while it runs, and once when it has ended; never twice at once.</param>
    /// <returns>Exit code; 128 + number when a signal ended it.</returns>
    /// <exception cref="ProgramMissingException">It is not installed.</exception>
    /// <exception cref="IOException">It may not be run, or the file cannot be written.</exception>
    public static int Run(ProgramCall call, string output, Action grown)
    {
        ArgumentNullException.ThrowIfNull(grown);
        var start = Prepare(call);
        var nothing = Check(ProcessCalls.Open("/dev/null", ProcessCalls.OReadWrite | LibC.OCloexec, 0));
        using (var file = new AppendedFile(output))
        {
            file.EndLine();
            Check(ProcessCalls.Duplicate(nothing, 0));
            Check(ProcessCalls.Duplicate(file.Descriptor, 1));
            Check(ProcessCalls.Duplicate(file.Descriptor, 2));
        }

        try
        {
            using var process = Process.Start(start) ?? throw new IOException($"{call.Program} could not be started");
            // On this thread and without the thread pool: its workers look for more work for a while after each tick, and twenty ticks a second make that a burden on the program.
            while (!process.WaitForExit(s_poll))
            {
                grown();
            }

            grown(); // what it wrote between the last look and its end
            return process.ExitCode;
        }
        catch (Win32Exception e)
        {
            throw new IOException($"{call.Program} could not be started: {e.Message}", e);
        }
        finally
        {
            Check(ProcessCalls.Duplicate(nothing, 1));
            Check(ProcessCalls.Duplicate(nothing, 2));
            _ = LibC.Close(nothing);
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

    private static int Check(int result) =>
        result < 0 ? throw new IOException(LibC.Describe(Marshal.GetLastPInvokeError())) : result;
}
