using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using MPSec.Data;

namespace MPSec.Features.Kernel;

/// <summary>The kernel that is on its way, and the ones before it, in one file that is replaced as a whole and on disk before anything is done.</summary>
public sealed class KernelBootStore(StateFolder folder, TimeProvider time)
{
    private const int MostEarlier = 20;
    private const long Largest = 4 << 20;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true, Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    /// <summary>The file.</summary>
    public string FilePath => folder.KernelBootFile;

    /// <summary>The newest record, then the earlier ones; empty when no kernel was ever installed by MPSec.</summary>
    /// <exception cref="IOException">The file is damaged or cannot be read.</exception>
    public ImmutableArray<KernelBootRecord> ReadAll()
    {
        var info = new FileInfo(FilePath);
        if (!info.Exists)
        {
            return [];
        }

        try
        {
            return info.Length <= Largest ? JsonSerializer.Deserialize<ImmutableArray<KernelBootRecord>>(File.ReadAllBytes(FilePath), s_json) : throw new JsonException("it is too large");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new IOException($"{FilePath} is damaged ({e.Message}); the old kernel stays the default. Move the file away to begin anew", e);
        }
    }

    /// <summary>The newest record; null when there is none.</summary>
    public KernelBootRecord? Read() => ReadAll().FirstOrDefault();

    /// <summary>Replaces the newest record; a kernel of another release, or a new attempt with the same one, becomes the newest.</summary>
    public void Write(KernelBootRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        var all = ReadAll();
        var earlier = all.FirstOrDefault() is { } newest && newest.Release == record.Release && newest.At == record.At ? all.Skip(1) : all;
        ImmutableArray<KernelBootRecord> written = [record, .. earlier.Take(MostEarlier)];
        Directory.CreateDirectory(Path.GetDirectoryName(FilePath)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        DurableFile.Write(FilePath, JsonSerializer.SerializeToUtf8Bytes(written, s_json));
    }

    /// <summary>Waits until nobody else changes how the machine starts, and keeps others from it until disposed.</summary>
    /// <exception cref="IOException">Somebody else is at it for longer than 20 s.</exception>
    public async Task<IDisposable> LockAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(folder.KernelBootLock)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var begun = time.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(folder.KernelBootLock, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (time.GetElapsedTime(begun) < s_patience)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), time, cancellationToken);
            }
            catch (IOException e)
            {
                throw new IOException("another installation or trial of a kernel is being worked on; wait until it has ended", e);
            }
        }
    }
}
