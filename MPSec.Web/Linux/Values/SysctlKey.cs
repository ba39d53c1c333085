using System.Text.Json;
using System.Text.Json.Serialization;

namespace MPSec.Linux.Values;

/// <summary>
/// Name of a kernel setting below <c>/proc/sys/net</c>, written with dots (<c>net.mptcp.enabled</c>) as sysctl(8) does.
/// An interface name with a dot inside is written with a slash there (<c>net.ipv4.conf.eth0/100.rp_filter</c>).
/// </summary>
[JsonConverter(typeof(SysctlKeyJsonConverter))]
public readonly record struct SysctlKey
{
    private readonly string? _value;

    private SysctlKey(string value) => _value = value;

    /// <summary>The dotted name.</summary>
    public string Value => _value ?? "";

    /// <summary>The path below <c>/proc/sys</c>, for example <c>net/mptcp/enabled</c>.</summary>
    public string RelativePath => string.Create(Value.Length, Value, static (span, value) =>
    {
        for (var i = 0; i < span.Length; i++)
        {
            span[i] = value[i] switch { '.' => '/', '/' => '.', var c => c };
        }
    });

    /// <summary>Parses <paramref name="text"/>.</summary>
    /// <exception cref="FormatException">The text is no setting below <c>net.</c>.</exception>
    public static SysctlKey Parse(string text) => TryParse(text, out var key, out var error) ? key : throw new FormatException(error);

    /// <summary>Parses <paramref name="text"/>; <paramref name="error"/> names the broken rule when the result is false.</summary>
    public static bool TryParse(string? text, out SysctlKey key, out string? error)
    {
        key = default;
        error = null;
        if (text is null || !text.StartsWith("net.", StringComparison.Ordinal) || text.Length > 200)
        {
            error = "setting: the name must begin with net. and have at most 200 characters";
        }
        else if (text.Any(c => !(char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or '/')))
        {
            error = "setting: only ASCII letters, digits, and . _ - / are allowed";
        }
        else if (text.Split('.').Any(part => part.Length == 0 || part.Split('/').Any(piece => piece.Length == 0)))
        {
            error = "setting: a part of the name is empty";
        }

        if (error is not null)
        {
            return false;
        }

        key = new SysctlKey(text!);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Value;

    private sealed class SysctlKeyJsonConverter : JsonConverter<SysctlKey>
    {
        public override SysctlKey Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TryParse(reader.GetString(), out var key, out var error) ? key : throw new JsonException(error);

        public override void Write(Utf8JsonWriter writer, SysctlKey value, JsonSerializerOptions options) => writer.WriteStringValue(value.Value);
    }
}
