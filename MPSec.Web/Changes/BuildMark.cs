using System.Globalization;

namespace MPSec.Changes;

/// <summary>
/// Names one build of the program, as it lay on disk when this process began to use it: the compiler's id of the module and the time of its file. A dead-man that
/// outlived an update is another build than the server that asks it.
/// </summary>
internal static class BuildMark
{
    /// <summary>That of this process.</summary>
    public static string Current { get; } = Read();

    private static string Read()
    {
        var module = typeof(BuildMark).Module;
        var file = new FileInfo(module.FullyQualifiedName);
        return string.Create(CultureInfo.InvariantCulture, $"{module.ModuleVersionId:N}-{(file.Exists ? file.LastWriteTimeUtc.Ticks : 0)}");
    }
}
