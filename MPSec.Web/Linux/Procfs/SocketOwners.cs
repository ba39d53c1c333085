// proc(5): /proc/PID/fd/N of a socket links to socket:[INODE]; /proc/PID/comm is the program's name.
using System.Collections.Immutable;
using System.Globalization;

namespace MPSec.Linux.Procfs;

/// <summary>A program that has a socket open.</summary>
/// <param name="Pid">Its process id.</param>
/// <param name="Name">Its name, at most 15 characters.</param>
public sealed record SocketOwner(int Pid, string Name);

/// <summary>Who has a socket open.</summary>
/// <param name="Owners">The programs, by process id.</param>
/// <param name="NotPermitted">Some programs could not be looked into, so that there may be more.</param>
public sealed record SocketOwnerAnswer(ImmutableArray<SocketOwner> Owners, bool NotPermitted);

/// <summary>Finds the programs that have a socket open. Goes through every open file of the machine: for one socket that a person asks about.</summary>
/// <param name="root">The proc file system.</param>
public sealed class SocketOwners(string root = "/proc")
{
    /// <summary>The programs that have the socket with <paramref name="inode"/> open. Inodes of sockets are unique across network namespaces.</summary>
    public SocketOwnerAnswer Find(uint inode, CancellationToken cancellationToken = default)
    {
        var found = ImmutableArray.CreateBuilder<SocketOwner>();
        var wanted = string.Create(CultureInfo.InvariantCulture, $"socket:[{inode}]");
        var refused = false;
        foreach (var folder in inode == 0 || !Directory.Exists(root) ? [] : Directory.EnumerateDirectories(root))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                continue;
            }

            try
            {
                if (new DirectoryInfo(Path.Combine(folder, "fd")).EnumerateFileSystemInfos().Any(f => f.LinkTarget == wanted))
                {
                    found.Add(new(pid, File.ReadAllText(Path.Combine(folder, "comm")).TrimEnd('\n')));
                }
            }
            catch (UnauthorizedAccessException)
            {
                refused = true;
            }
            catch (IOException)
            {
                // It ended in the meantime.
            }
        }

        found.Sort((a, b) => a.Pid.CompareTo(b.Pid));
        return new(found.DrainToImmutable(), refused);
    }
}
