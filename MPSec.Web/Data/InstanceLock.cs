using System.Globalization;

namespace MPSec.Data;

/// <summary>
/// Makes sure that one process at a time serves a state folder. .NET opens a file with <see cref="FileShare.None"/> under flock(2) LOCK_EX, which the
/// kernel releases when the process ends, however it ends; so a lock is never stale and no pid has to be guessed alive.
/// </summary>
public sealed class InstanceLock : IDisposable
{
    private readonly FileStream _file;

    private InstanceLock(FileStream file) => _file = file;

    /// <summary>Takes the lock, or says who has it.</summary>
    /// <exception cref="StateFolderException">Another process serves this folder (<see cref="StateFolderFault.InUse"/>).</exception>
    /// <exception cref="IOException">The lock file cannot be made.</exception>
    public static InstanceLock Take(StateFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        FileStream file;
        try
        {
            file = new FileStream(folder.LockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e.HResult == WouldBlock)
        {
            var holder = ReadPid(folder.PidFile);
            var who = holder is { } pid ? $"process {pid}" : "another process";
            throw new StateFolderException(
                StateFolderFault.InUse, $"state folder {folder}: MPSec already runs on it as {who}; stop it, or give this one its own --state folder", e)
            {
                Holder = holder,
            };
        }

        try
        {
            File.WriteAllText(folder.PidFile, Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
            return new InstanceLock(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Gives the folder free. The files stay: removing a lock file that a third process has just opened would let two of them in.</summary>
    public void Dispose() => _file.Dispose();

    // EWOULDBLOCK of errno-base.h; .NET passes the errno of a refused flock(2) on as HResult.
    private const int WouldBlock = 11;

    private static int? ReadPid(string file)
    {
        try
        {
            return int.TryParse(File.ReadAllText(file), NumberStyles.None | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var pid) ? pid : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
