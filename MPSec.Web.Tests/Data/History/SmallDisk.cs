using MPSec.Tests.Netns;

namespace MPSec.Tests.Data.History;

/// <summary>A file system of few MiB; the test is skipped where none can be mounted.</summary>
internal sealed class SmallDisk : IDisposable
{
    private SmallDisk(string folder) => Folder = folder;

    public string Folder { get; }

    public static SmallDisk Make(int mebibytes)
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root to mount a small file system");
        var folder = Directory.CreateTempSubdirectory("mpsec-small-").FullName;
        NamespaceScope.Run("mount", "-t", "tmpfs", "-o", $"size={mebibytes}m", "mpsec-test", folder);
        return new(folder);
    }

    /// <summary>Takes what is left.</summary>
    public void FillUp(string file)
    {
        using var stream = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.None, 1);
        try
        {
            while (new DriveInfo(Folder).AvailableFreeSpace > 0)
            {
                stream.Write(new byte[4096]);
            }
        }
        catch (IOException)
        {
            // Full.
        }
    }

    public void Dispose()
    {
        NamespaceScope.Run("umount", "-l", Folder);
        Directory.Delete(Folder);
    }
}
