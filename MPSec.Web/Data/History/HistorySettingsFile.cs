using System.Text.Json;

namespace MPSec.Data.History;

/// <summary>The settings of history that were made while MPSec runs. They come before those of the configuration file.</summary>
internal static class HistorySettingsFile
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Reads them; null when none were made, or when the file is not what was written.</summary>
    public static HistorySettings? Read(StateFolder folder)
    {
        try
        {
            return JsonSerializer.Deserialize<HistorySettings>(File.ReadAllText(folder.HistorySettings), s_json) is { } settings && !settings.Faults().Any() ? settings : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Replaces the file as a whole.</summary>
    public static async Task WriteAsync(StateFolder folder, HistorySettings settings, CancellationToken cancellationToken)
    {
        var temporary = folder.HistorySettings + ".new";
        await File.WriteAllTextAsync(temporary, JsonSerializer.Serialize(settings, s_json) + "\n", cancellationToken);
        File.Move(temporary, folder.HistorySettings, overwrite: true);
    }
}
