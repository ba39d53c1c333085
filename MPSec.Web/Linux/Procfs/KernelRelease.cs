namespace MPSec.Linux.Procfs;

/// <summary>Release of the running kernel as <c>uname -r</c> prints it (<c>/proc/sys/kernel/osrelease</c>).</summary>
public static class KernelRelease
{
    /// <summary>Reads it; null when <c>/proc</c> does not tell.</summary>
    public static string? Read(string root = "/proc")
    {
        try
        {
            return File.ReadAllText(Path.Combine(root, "sys/kernel/osrelease")).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
