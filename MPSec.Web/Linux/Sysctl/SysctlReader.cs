// /proc/sys: Documentation/admin-guide/sysctl/net.rst and Documentation/networking/mptcp-sysctl.rst.
using System.Collections.Immutable;
using System.Text;
using MPSec.Linux.Namespaces;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Linux.Sysctl;

/// <summary>Reads kernel settings of a gateway. The settings of one folder are opened once and read again. Not thread-safe.</summary>
public sealed class SysctlReader : IDisposable
{
    private readonly List<(string Name, ProcFile File)> _files = [];
    private byte[] _buffer = new byte[4096];
    private ImmutableSortedDictionary<string, string> _last = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>Opens every setting in <paramref name="folder"/>, named <paramref name="prefix"/> plus its file's name. A missing folder has none.</summary>
    /// <param name="folder">For example <c>/proc/sys/net/mptcp</c>, seen from inside the gateway.</param>
    /// <param name="prefix">For example <c>net.mptcp.</c>.</param>
    public SysctlReader(string folder, string prefix)
    {
        IsPresent = Directory.Exists(folder);
        if (!IsPresent)
        {
            return;
        }

        foreach (var path in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
        {
            if (ProcFile.TryOpen(path) is { } file)
            {
                _files.Add((prefix + Path.GetFileName(path), file));
            }
        }
    }

    /// <summary>Whether the folder is there.</summary>
    public bool IsPresent { get; }

    /// <summary>Reads all settings; the value of one that the kernel refuses is left out.</summary>
    public ImmutableSortedDictionary<string, string> Read()
    {
        foreach (var (name, file) in _files)
        {
            var value = ReadValue(file);
            if (value is null)
            {
                _last = _last.Remove(name);
            }
            else if (!_last.TryGetValue(name, out var old) || !Same(old, value.Value.Span))
            {
                _last = _last.SetItem(name, Encoding.UTF8.GetString(value.Value.Span));
            }
        }

        return _last;
    }

    /// <summary>Reads one setting of <paramref name="gateway"/>; null when this kernel does not have it or does not let it be read.</summary>
    /// <exception cref="NamespaceException">The gateway is gone.</exception>
    public static string? Read(GatewayName gateway, SysctlKey key) => NamespaceThread.Run(gateway, () => Read("/proc/sys", key));

    /// <summary>Reads one setting below <paramref name="root"/>; null when it is absent or may not be read.</summary>
    public static string? Read(string root, SysctlKey key)
    {
        try
        {
            return File.ReadAllText(Path.Combine(root, key.RelativePath)).TrimEnd('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (_, file) in _files)
        {
            file.Dispose();
        }
    }

    private ReadOnlyMemory<byte>? ReadValue(ProcFile file)
    {
        try
        {
            var length = file.Read(ref _buffer);
            return _buffer.AsMemory(0, _buffer.AsSpan(0, length).TrimEnd((byte)'\n').Length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool Same(string text, ReadOnlySpan<byte> bytes)
    {
        if (text.Length != bytes.Length)
        {
            return false;
        }

        for (var i = 0; i < bytes.Length; i++)
        {
            if (text[i] != bytes[i])
            {
                return false;
            }
        }

        return true;
    }
}
