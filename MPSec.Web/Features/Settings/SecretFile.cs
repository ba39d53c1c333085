namespace MPSec.Features.Settings;

/// <summary>A small text that only the owner of the state folder may read (mode 0600). It is replaced as a whole, never half.</summary>
internal static class SecretFile
{
    /// <summary>Writes it.</summary>
    public static async Task WriteAsync(string path, string text, CancellationToken cancellationToken)
    {
        var temporary = path + ".new";
        File.Delete(temporary);
        await using (var writer = new StreamWriter(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            await writer.WriteAsync(text.AsMemory(), cancellationToken);
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Reads it; null when there is none.</summary>
    public static string? TryRead(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
