using MPSec.Linux;

namespace MPSec.Features.Kernel;

/// <summary>Files that are whole after a power cut, whenever it comes.</summary>
internal static class DurableFile
{
    /// <summary>Replaces a file: whoever reads it sees the old or the new content, also after a power cut; the new one when this returns.</summary>
    public static void Write(string path, byte[] content)
    {
        var fresh = path + ".new";
        using (var file = new FileStream(fresh, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        File.Move(fresh, path, overwrite: true);
        SyncFolder(path);
    }

    /// <summary>Puts a file that another program wrote on disk.</summary>
    public static void Sync(string path)
    {
        using (var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            file.Flush(flushToDisk: true);
        }

        SyncFolder(path);
    }

    /// <summary>Puts a finished file in the place of another.</summary>
    public static void Replace(string fresh, string path)
    {
        Sync(fresh);
        File.Move(fresh, path, overwrite: true);
        SyncFolder(path);
    }

    /// <summary>Deletes a file for good; a missing one is fine.</summary>
    public static void Delete(string path)
    {
        if (File.Exists(path))
        {
            File.Delete(path);
            SyncFolder(path);
        }
    }

    // A new name is on disk when its folder is.
    private static void SyncFolder(string path)
    {
        var folder = LibC.Open(Path.GetDirectoryName(path)!, LibC.OReadOnly | LibC.OCloexec);
        if (folder >= 0)
        {
            _ = LibC.FSync(folder);
            _ = LibC.Close(folder);
        }
    }
}
