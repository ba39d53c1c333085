using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MPSec.Changes;

/// <summary>Operations as text, for the journal and for a helper process.</summary>
public static class OperationJson
{
    private static readonly JsonSerializerOptions s_options = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new AddressConverter(), new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>One operation as canonical JSON.</summary>
    public static string Write(HostOperation operation) => JsonSerializer.Serialize(operation, s_options);

    /// <summary>Operations as a JSON array.</summary>
    public static string WriteMany(IEnumerable<HostOperation> operations) => JsonSerializer.Serialize(operations, s_options);

    /// <summary>Reads one operation and checks it.</summary>
    /// <exception cref="ChangeException">The text is no operation (<see cref="ChangeFault.Invalid"/>).</exception>
    public static HostOperation Read(string json) => Parse<HostOperation>(json, one => one.Validate());

    /// <summary>Reads an array of operations and checks each.</summary>
    /// <exception cref="ChangeException">The text is no array of operations (<see cref="ChangeFault.Invalid"/>).</exception>
    public static IReadOnlyList<HostOperation> ReadMany(string json) => Parse<List<HostOperation>>(json, all => all.ForEach(one => one.Validate()));

    private static T Parse<T>(string json, Action<T> check)
    {
        try
        {
            var value = JsonSerializer.Deserialize<T>(json, s_options) ?? throw new JsonException("null");
            check(value);
            return value;
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException)
        {
            throw new ChangeException(ChangeFault.Invalid, $"operation: the text is none ({e.Message})", e);
        }
    }

    private sealed class AddressConverter : JsonConverter<IPAddress>
    {
        public override IPAddress Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            IPAddress.TryParse(reader.GetString(), out var address) ? address : throw new JsonException("an IP address is expected");

        public override void Write(Utf8JsonWriter writer, IPAddress value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}
