using System.Runtime.InteropServices;

namespace MPSec.Linux.Processes;

/// <summary>Calls of the C library for signals, descriptors and files. Constants as in asm-generic (x86-64 and arm64 agree).</summary>
internal static partial class ProcessCalls
{
    public const int SigKill = 9;
    public const int SigTerm = 15;
    public const int SigContinue = 18;
    public const int SigStop = 19;
    public const int OReadWrite = 2;
    public const int OCreate = 0x40;
    public const int OAppend = 0x400;

    /// <summary>FALLOC_FL_PUNCH_HOLE with FALLOC_FL_KEEP_SIZE.</summary>
    public const int PunchHole = 3;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    public static partial int Allocate(int file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    public static partial int Duplicate(int from, int to);
}
