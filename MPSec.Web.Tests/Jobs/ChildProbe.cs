using System.Globalization;
using System.Text;
using MPSec.Data;

namespace MPSec.Tests.Jobs;

/// <summary>Finds supervised programs by the mark in their environment, whoever started them.</summary>
internal static class ChildProbe
{
    public static IReadOnlyList<int> Living(StateFolder folder, long run)
    {
        var start = Encoding.UTF8.GetBytes($"MPSEC_RUN=run {run} ");
        var end = Encoding.UTF8.GetBytes($" of {folder.Root}");
        var living = new List<int>();
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(process), CultureInfo.InvariantCulture, out var pid))
            {
                continue;
            }

            try
            {
                if (File.ReadAllText(Path.Combine(process, "stat")) is { } stat && stat[stat.LastIndexOf(')')..].StartsWith(") Z", StringComparison.Ordinal))
                {
                    continue;
                }

                var environment = File.ReadAllBytes(Path.Combine(process, "environ")).AsSpan();
                foreach (var part in environment.Split((byte)0))
                {
                    if (environment[part].StartsWith(start) && environment[part].EndsWith(end))
                    {
                        living.Add(pid);
                    }
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
            }
        }

        return living;
    }
}
